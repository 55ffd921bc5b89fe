#!/bin/sh
# Makes the .ptx files of this folder of the .cu files: needs clang 19.
cd "$(dirname "$0")" || exit 1
for f in *.cu; do
  clang++-19 -x cuda --cuda-device-only --cuda-gpu-arch=sm_75 --cuda-feature=+ptx63 -nocudainc -nocudalib \
    -O3 -ffp-contract=off -fno-exceptions -std=c++17 -fno-ident -S -o "${f%.cu}.ptx" "$f" || exit 1
done
