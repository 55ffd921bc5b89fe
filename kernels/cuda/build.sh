#!/usr/bin/env bash
# Compiles every kernels/*/*.cu to the .ptx beside it, with the one compiler whose
# bytes are committed. Usage: build.sh [--check]; with --check the committed files
# are compared with what the compiler makes of the sources, and left alone.
set -euo pipefail
# shellcheck source=tools.sh
. "$(dirname "$0")/tools.sh"
cd "$kernels"

readonly version=19.1.7
readonly install="on Debian or Ubuntu: apt-get update && apt-get install -y clang-19"

check=false
case "${1:-}" in
  "") ;;
  --check) check=true ;;
  *) fail "unknown argument $1; usage: build.sh [--check]" ;;
esac

readonly compiler="${CLANG:-clang++-19}"
command -v "$compiler" >/dev/null || fail "$compiler is missing; $install, or name a clang $version in CLANG"
found="$("$compiler" --version | sed -n '1s/.*clang version \([0-9][0-9.]*\).*/\1/p')"
[ "$found" = "$version" ] || fail "$compiler has version ${found:-unknown}, and the committed PTX is that of $version; $install"

tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT

# forms SOURCE prints what a source is compiled for: PTX 6.3 and sm_75 are what the oldest
# drivers take, 7.0 and sm_80 the least that has cp.async, 7.8 and sm_90 the least that has
# clusters and dependent launches. The first is that of x.ptx, a later one that of x.sm_80.ptx.
forms() {
  case "$1" in
    cuda/cluster/*) echo "sm_90:78" ;;
    gemm/tensor.cu | gemm/bfloat.cu) echo "sm_80:70 sm_90:78" ;;
    gemm/gemm.cu) echo "sm_75:63 sm_80:70 sm_90:78" ;;
    *) echo "sm_75:63 sm_90:78" ;;
  esac
}

# compile SOURCE FORM PTX. Multiply and add are not fused unless the source does it.
compile() {
  "$compiler" -x cuda --cuda-device-only --cuda-gpu-arch="${2%:*}" --cuda-feature=+ptx"${2#*:}" -nocudainc -nocudalib \
    -std=c++17 -O3 -ffp-contract=off -fno-exceptions -fno-ident -Wall -Wextra -Werror -S -o "$3" "$1"
}

# build SOURCE FORM PTX compiles a source to a form, and writes it or compares it.
build() {
  compile "$1" "$2" "$tmp/$2-${1//\//-}" || fail "$1 does not compile for ${2%:*}"
  if ! $check; then
    cmp -s "$tmp/$2-${1//\//-}" "$3" || { cp "$tmp/$2-${1//\//-}" "$3" && echo "wrote kernels/$3"; }
  elif ! cmp -s "$tmp/$2-${1//\//-}" "$3"; then
    fail "kernels/$3 is not what the compiler makes of kernels/$1; run make ptx"
  fi
}

for source in */*.cu cuda/*/*.cu; do
  ptx="${source%.cu}.ptx"
  for form in $(forms "$source"); do
    [ "$form" = "$(forms "$source" | cut -d ' ' -f 1)" ] || ptx="${source%.cu}.${form%:*}.ptx"
    echo "$source $form $ptx"
  done
done >"$tmp/todo"
bad=0
each build <"$tmp/todo" || bad=1
for ptx in */*.ptx cuda/*/*.ptx; do
  grep -q " $ptx$" "$tmp/todo" || { echo "build.sh: kernels/$ptx has no source" >&2 && bad=1; }
done
exit $bad
