#!/usr/bin/env bash
# Builds build/gpu-bundle: a folder that checks a CUDA device on a machine without Go,
# a C compiler, a CUDA toolkit or a network. Called by "make gpu-bundle", which sets the
# variables that a build with CUDA support needs. Takes go build's extra flags.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=build/gpu-bundle
most=55 # MB
go=${GO:-go}
flags=(-tags gpu -ldflags "-s -w" "$@")

rm -rf "$out"
mkdir -p "$out/bin" "$out/data"
cp LICENSE THIRD_PARTY.txt "$out/"
$go build "${flags[@]}" -o "$out/bin/gpucheck" ./cmd/gpucheck
$go build "${flags[@]}" -o "$out/bin/driftless" ./cmd/driftless
$go test -c "${flags[@]}" -o "$out/bin/cuda.test" ./engine/device/cuda

# Machine code of the kernels, so that no driver needs to compile them.
kernels/cuda/cubins.sh "$out/bin/cubins" ||
  echo "The kernels could not be assembled (see above): the bundle has their PTX alone, which the driver compiles" >&2

# The C library that the binaries ask for at least.
glibc=unknown
if command -v objdump >/dev/null; then
  glibc=$(for f in "$out"/bin/gpucheck "$out"/bin/driftless "$out"/bin/cuda.test; do objdump -T "$f"; done | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1)
fi

# The data directory may be any; what it lacks is fetched.
if "$out/bin/driftless" data fetch mnist --data-dir "${DATA_DIR:-build/gpu-data}"; then
  mkdir "$out/data/mnist"
  for f in "${DATA_DIR:-build/gpu-data}"/mnist/*-ubyte; do
    gzip -n -c "$f" >"$out/data/mnist/${f##*/}.gz"
  done
else
  echo "MNIST could not be fetched: the bundle will check with SYNTHETIC images, drawn by the program" >&2
fi
gzip -n "$out/bin/gpucheck" "$out/bin/driftless" "$out/bin/cuda.test" # run.sh unpacks the first, that the others

sed "s/@GLIBC@/${glibc#GLIBC_}/" cmd/gpucheck/run.sh >"$out/run.sh"
chmod +x "$out/run.sh"
size=$(du -sb "$out" | cut -f 1)
echo "$out: $((size / 1000000)) MB, for x86-64 Linux with glibc ${glibc#GLIBC_} or later; run.sh is all there is to call"
if [ "$size" -gt $((most * 1000000)) ]; then
  echo "$out is to have $most MB at most" >&2
  exit 1
fi
