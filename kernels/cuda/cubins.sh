#!/usr/bin/env bash
# Assembles the committed PTX to machine code, with NVIDIA's ptxas of the older of the two
# generations that check.sh has, whose code drivers of CUDA 12 take as well. Usage:
# cubins.sh FOLDER. What is in it is described in engine/device/cuda (doc.go, "Machine
# code"); what was made before is in build/cubins, and is not made again.
set -euo pipefail
# shellcheck source=tools.sh
. "$(dirname "$0")/tools.sh"

[ $# = 1 ] || fail "usage: cubins.sh FOLDER"
mkdir -p "$1"
to="$(cd "$1" && pwd)"
environment cuda12 "nvidia-cuda-nvcc-cu12==$version12"
ptxas="$(tool cuda12 ptxas)"

tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT

count=0
for arch in $architectures; do
  [ "$arch" != sm_75 ] || continue # whose drivers compile the PTX
  made="$root/build/cubins/$version12/$arch"
  mkdir -p "$made" "$to/$arch"
  for ptx in $(ptx_files "$arch"); do
    hash="$(sha256sum "$kernels/$ptx")"
    name="$(basename "$ptx" .ptx)-${hash:0:16}.cubin.gz"
    if [ ! -f "$made/$name" ]; then
      "$ptxas" -arch="$arch" -o "$tmp/cubin" "$kernels/$ptx" || fail "ptxas does not take kernels/$ptx for $arch"
      gzip -9 -n -c "$tmp/cubin" >"$tmp/packed"
      mv "$tmp/packed" "$made/$name"
    fi
    cp "$made/$name" "$to/$arch/"
    count=$((count + 1))
  done
done
echo "$count files of machine code, by ptxas $version12, for ${architectures#sm_75 }: $(du -sb "$to" | cut -f 1) bytes"
