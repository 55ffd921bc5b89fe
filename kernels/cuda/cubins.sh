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

# assemble ARCH FILE puts the machine code of a PTX file for an architecture where it belongs.
assemble() {
  local made="$root/build/cubins/$version12/$1" hash name
  hash="$(sha256sum "$kernels/$2")"
  name="$(basename "$2" .ptx)-${hash:0:16}.cubin.gz"
  if [ ! -f "$made/$name" ]; then
    "$ptxas" -arch="$1" -o "$tmp/$1-$name" "$kernels/$2" || fail "ptxas does not take kernels/$2 for $1"
    gzip -9 -n -c "$tmp/$1-$name" >"$tmp/$1-$name.packed"
    mv "$tmp/$1-$name.packed" "$made/$name"
  fi
  cp "$made/$name" "$to/$1/"
}

for arch in $architectures; do
  [ "$arch" != sm_75 ] || continue # whose drivers compile the PTX
  mkdir -p "$root/build/cubins/$version12/$arch" "$to/$arch"
  for ptx in $(ptx_files "$arch"); do
    echo "$arch" "$ptx"
  done
done >"$tmp/todo"
each assemble <"$tmp/todo"
count="$(wc -l <"$tmp/todo")"
echo "$count files of machine code, by ptxas $version12, for ${architectures#sm_75 }: $(du -sb "$to" | cut -f 1) bytes"
