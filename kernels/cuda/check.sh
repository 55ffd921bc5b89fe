#!/usr/bin/env bash
# Assembles the committed PTX with NVIDIA's ptxas of two generations for every
# architecture, in the form that it takes, fails on spills and local memory, compares
# registers and shared memory with registers.md, and compiles the sources with nvcc.
# Usage: check.sh [--update]; with --update registers.md is written.
set -euo pipefail
# shellcheck source=tools.sh
. "$(dirname "$0")/tools.sh"

update=false
case "${1:-}" in
  "") ;;
  --update) update=true ;;
  *) fail "unknown argument $1; usage: check.sh [--update]" ;;
esac

environment cuda12
environment cuda13

tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT

# assemble ENVIRONMENT ARCH FILE: lines "environment arch file kernel registers shared stack spills".
assemble() {
  local made
  made="$(machine_code "$1" "$2" "$3")" || exit 1
  awk -v version="$1" -v arch="$2" -v file="$3" '
    /Compiling entry function/ { split($0, part, "\x27"); name = part[2] }
    /bytes stack frame/ { stack = $1; spills = $5 + $9 }
    /Used [0-9]+ registers/ {
      shared = 0
      for (i = 1; i <= NF; i++) {
        if ($i == "Used") registers = $(i + 1)
        if ($(i + 1) == "bytes" && $(i + 2) ~ /^smem/) shared = $i
      }
      print version, arch, file, name, registers, shared, stack, spills
    }' "$made.report"
}

for ptx in $(ptx_files); do
  for arch in $architectures; do
    [ "$ptx" = "$(form_of "$(source_of "$ptx")" "$arch")" ] || continue
    echo cuda12 "$arch" "$ptx"
    echo cuda13 "$arch" "$ptx"
  done
done >"$tmp/todo"
each assemble <"$tmp/todo" >"$tmp/all"

count="$(cat "$kernels"/*/*.ptx "$kernels"/cuda/*/*.ptx | grep -c '\.entry')"
want="$(while read -r _ _ ptx; do grep -c '\.entry' "$kernels/$ptx"; done <"$tmp/todo" | awk '{ n += $1 } END { print n }')"
[ "$(wc -l <"$tmp/all")" = "$want" ] || fail "ptxas reported $(wc -l <"$tmp/all") kernels, expected $want: its output has changed"

awk '$7 + $8 > 0 { print $4 " of " $3 " for " $2 " (" $1 "): " $7 " bytes of stack, " $8 " of spills" }' "$tmp/all" >"$tmp/bad"
[ ! -s "$tmp/bad" ] || { cat "$tmp/bad" >&2 && fail "kernels must not spill or use local memory"; }

{
  echo "# Registers and shared memory of the kernels"
  echo
  echo "Written by check.sh --update. Registers a thread, as ptxas $version12 and $version13 assign them (one number"
  echo "where they agree), and bytes of shared memory a block. No kernel spills or uses local memory."
  echo
  # shellcheck disable=SC2086
  echo "| file | kernel | shared | $(echo $architectures | sed 's/ / | /g') |"
  echo "|---|---|---:$(for _ in $architectures; do printf '|---:'; done)|"
  awk -v list="$architectures" '
    BEGIN { n = split(list, arch, " ") }
    { key = $3 " " $4; if (!(key in shared)) order[++k] = key; shared[key] = $6; used[$1, $2, key] = $5 }
    END {
      for (i = 1; i <= k; i++) {
        split(order[i], part, " ")
        line = "| " part[1] " | " part[2] " | " shared[order[i]]
        for (j = 1; j <= n; j++) {
          a = used["cuda12", arch[j], order[i]]; b = used["cuda13", arch[j], order[i]]
          if (a == "") { a = b = "–" }
          line = line " | " (a == b ? a : a "/" b)
        }
        print line " |"
      }
    }' "$tmp/all"
} >"$tmp/registers.md"
agree "$tmp/registers.md" "$kernels/cuda/registers.md" "kernels or tools have changed"

nvcc="$(tool cuda13 nvcc)"
command -v g++ >/dev/null || fail "g++ is missing; nvcc needs it"
# compile PTX compiles its source with nvcc, for the architecture that it is for.
# What it makes is not looked at: it need not optimise.
compile() {
  "$nvcc" -std=c++17 -arch="sm_$(target "$kernels/$1")" -fmad=false -Werror all-warnings -Xcicc -O1 -Xptxas -O0 -cubin -o "$tmp/cubin.$BASHPID" "$kernels/$(source_of "$1").cu" ||
    fail "nvcc does not compile kernels/$(source_of "$1").cu for sm_$(target "$kernels/$1")"
}
ptx_files | each compile
echo "$count kernels assembled for $architectures by ptxas $version12 and $version13, no spills; sources compile with nvcc $version13"
