# Driftless: make help lists the targets.

GO       ?= go
BIN      := bin/driftless
DEMO     := --norms none,center:naive,standardize:naive,whiten:naive,standardize:graph,batchnorm \
            --lr 0.5 --steps 3000 --seeds 3 --eval-every 250

.DEFAULT_GOAL := help
.PHONY: help demo test bench build check race

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-8s %s\n", $$1, $$2 }'

demo: build ## get MNIST, run the worked example, compare six normalizations (5 minutes on two cores)
	@data=mnist; \
	$(BIN) data fetch mnist || { data=synthetic; \
	  echo "MNIST could not be fetched: going on with SYNTHETIC images drawn by the program"; }; \
	echo "== the worked example (driftless drift)"; $(BIN) drift && \
	echo "== six normalizations on $$data (driftless compare)" && $(BIN) compare --data $$data $(DEMO)

test: needs-go ## all tests; needs nothing beyond Go
	$(GO) test ./...

bench: needs-go ## all benchmarks, beside stock Gorgonia's
	$(GO) test -run '^$$' -bench . -benchmem -timeout 3h ./...

build: needs-go ## the command line, in bin/
	@CGO_ENABLED=0 $(GO) build -o $(BIN) ./cmd/driftless || { \
	  echo "The build failed; if modules could not be downloaded, connect to a network once and run: go mod download"; exit 1; }

check: needs-go ## what CI checks besides the tests: formatting, vet, staticcheck
	@bad=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$bad" ] || { echo "gofmt these: $$bad"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	CGO_ENABLED=0 $(GO) build ./...

race: needs-go ## the tests under the race detector; needs a C compiler
	CGO_ENABLED=1 $(GO) test -race -shuffle=on ./...

.PHONY: needs-go
needs-go:
	@command -v $(GO) >/dev/null || { echo "Go is missing: install Go 1.26 or later from https://go.dev/dl and run make again"; exit 1; }
