# Driftless: make help lists the targets.

GO       ?= go
BIN      := bin/driftless
# CUDA support goes into the binary where a C compiler is found.
GPU      := $(shell [ "$$($(GO) env GOOS 2>/dev/null)" = linux ] && command -v "$$($(GO) env CC)" >/dev/null && echo gpu)
BUNDLE_FLAGS ?= -trimpath
CUDA_ENV  = eval "$$($(GO) run ./internal/cuda/gen -out build/cuda)"

.DEFAULT_GOAL := help
.PHONY: help demo results test gorgonia-suite bench peers bench-peers build env check fuzz race test-gpu gpu-check gpu-bundle ptx ptx-check sass

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/[$$][$$]/$$/g' | awk -F ':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'

demo: build ## get MNIST, run the worked example, compare eight arms
	@data=mnist; \
	$(BIN) data fetch mnist || { data=synthetic; \
	  echo "MNIST could not be fetched: going on with SYNTHETIC images drawn by the program"; }; \
	echo "== the worked example (driftless drift)"; $(BIN) drift && \
	echo "== eight arms on $$data (driftless compare)" && $(BIN) compare --preset demo --data $$data

results: needs-go ## make RESULTS.md and the README's tables anew
	$(GO) run ./cmd/results

test: needs-go ## all tests that need only Go
	$(GO) test -timeout 30m ./...

gorgonia-suite: needs-go ## Gorgonia's own tests, with our machine in its place
	.ci/gorgonia-suite

bench: needs-go ## all benchmarks, beside stock Gorgonia's
	$(GO) test -run '^$$' -bench . -benchmem -timeout 3h ./...

peers: ## install PyTorch and JAX, to compare with (6 GB)
	cmd/peers/install.sh

bench-peers: needs-go ## time steps beside Gorgonia and the peers (half an hour)
	$(GO) run ./cmd/peers $(ARGS)

build: needs-go ## bin/driftless; with CUDA where there is a C compiler
ifeq ($(GPU),gpu)
	@$(CUDA_ENV) && CGO_ENABLED=1 $(GO) build -tags gpu -o $(BIN) ./cmd/driftless || { $(BUILD_HINT); }
else
	@CGO_ENABLED=0 $(GO) build -o $(BIN) ./cmd/driftless || { $(BUILD_HINT); }
endif

BUILD_HINT = echo "The build failed; if modules could not be downloaded, connect to a network once and run: go mod download"; exit 1

env: needs-go ## what go build -tags gpu needs: eval "$$(make -s env)"
	@$(GO) run ./internal/cuda/gen -out build/cuda

# A build with CUDA changes the first packages, and tests of the second that -short keeps.
test-gpu: needs-go ## the tests with CUDA, on a virtual device; needs a C compiler
	$(CUDA_ENV) && $(GO) vet -tags gpu ./... && $(GO) tool staticcheck -tags gpu ./... && \
	  $(GO) test -vet=off -timeout 30m -tags gpu ./engine/device/cuda/... ./internal/cuda/... && \
	  $(GO) test -vet=off -short -timeout 30m -tags gpu ./cli ./cmd/gpucheck

# ARGS="-device virtual" does without a device.
gpu-check: needs-go needs-cc ## check and time this machine's CUDA device: gpu-check.md
	@$(CUDA_ENV) && mkdir -p build/gpu-check && CGO_ENABLED=1 $(GO) build -tags gpu -o build/gpu-check/ ./cmd/gpucheck ./cmd/driftless && \
	  CGO_ENABLED=1 $(GO) test -c -tags gpu -o build/gpu-check/cuda.test ./engine/device/cuda
	@build/gpu-check/driftless data fetch mnist >/dev/null || echo "MNIST could not be fetched: going on with SYNTHETIC images drawn by the program"
	build/gpu-check/gpucheck $(ARGS)

gpu-bundle: needs-go needs-cc ## the same for a machine with nothing but a driver
	@$(CUDA_ENV) && GO="$(GO)" CGO_ENABLED=1 cmd/gpucheck/bundle.sh $(BUNDLE_FLAGS)

ptx: ## rebuild the CUDA kernels' PTX with clang 19
	kernels/cuda/build.sh

ptx-check: ## assemble the PTX for every architecture
	kernels/cuda/check.sh

sass: ## disassemble the hot CUDA kernels and count
	kernels/cuda/sass.sh

check: needs-go ## what CI checks besides the tests: gofmt, vet, staticcheck
	@bad=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$bad" ] || { echo "gofmt these: $$bad"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	CGO_ENABLED=0 $(GO) build ./...

FUZZTIME ?= 30s
fuzz: needs-go ## every fuzz target for FUZZTIME (30s), two at a time
	@git grep -oE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | sed -E 's|/[^/]*:func | |' | xargs -L 1 -P 2 sh -c \
	  '$(GO) test -run "^$$" -fuzz "^$$1$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x -parallel 1 ./$$0 || exit 1'

# With -short what has one goroutine, or is shown by others, is left out.
race: needs-go ## the tests under the race detector; needs a C compiler
	CGO_ENABLED=1 $(GO) test -race -short -vet=off -shuffle=on -timeout 20m $$($(GO) list ./... | grep -v -e /kernels -e /device/cpu)
	CGO_ENABLED=1 $(GO) test -race -short -vet=off -shuffle=on -timeout 20m -tags noasm ./engine/device/cpu # whose assembly is hidden from the detector

.PHONY: needs-go needs-cc
needs-cc:
	@[ "$(GPU)" = gpu ] || { echo "A build with CUDA support needs Linux and a C compiler: install gcc, or name another one in the variable CC, and run make again"; exit 1; }

needs-go:
	@command -v $(GO) >/dev/null || { echo "Go is missing: install Go 1.26 or later from https://go.dev/dl and run make again"; exit 1; }
