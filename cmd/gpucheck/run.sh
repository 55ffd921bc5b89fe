#!/bin/sh
# Checks the CUDA device of this machine and writes a report, gpu-check.md, beside this
# script or to the file that the variable OUT names. It needs Linux on x86-64 with glibc
# @GLIBC@ or later and NVIDIA's driver: no Go, no compiler, no CUDA toolkit, no network.
# compute-sanitizer and PyTorch (of python3, or of the interpreter that -python names)
# are used where they are installed.
#
#   ./run.sh                  the first usable device: some minutes; with PyTorch's, more
#   ./run.sh -device cuda:1   another one
#   ./run.sh -device virtual  on the CPU, to see that this folder is complete; small, slow
#   ./run.sh -help            all flags
#
# The exit code is 0 if every check passed, and 1 if one failed.
here=$(cd "$(dirname "$0")" && pwd) || exit 1
exec "$here/bin/gpucheck" -suite "$here/bin" -data "$here/data" -out "${OUT:-$here/gpu-check.md}" "$@"
