#!/usr/bin/env bash
# Assembles the committed PTX to machine code, with NVIDIA's ptxas of the older of the two
# generations that check.sh has, whose code drivers of CUDA 12 take as well. Usage:
# cubins.sh FOLDER. What is in it is described in engine/device/cuda (doc.go, "Machine
# code").
set -euo pipefail
# shellcheck source=tools.sh
. "$(dirname "$0")/tools.sh"

[ $# = 1 ] || fail "usage: cubins.sh FOLDER"
mkdir -p "$1"
to="$(cd "$1" && pwd)"
environment cuda12

tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT

# assemble ARCH FILE puts the machine code of a PTX file for an architecture where it belongs.
assemble() {
  local made
  made="$(machine_code cuda12 "$1" "$2")" || exit 1
  gzip -9 -n -c "$made" >"$to/$1/$(basename "$made").gz"
}

for arch in $architectures; do
  [ "$arch" != sm_75 ] || continue # whose drivers compile the PTX
  mkdir -p "$to/$arch"
  for ptx in $(ptx_files "$arch"); do
    echo "$arch" "$ptx"
  done
done >"$tmp/todo"
each assemble <"$tmp/todo"
count="$(wc -l <"$tmp/todo")"
echo "$count files of machine code, by ptxas $version12, for ${architectures#sm_75 }: $(du -sb "$to" | cut -f 1) bytes"
