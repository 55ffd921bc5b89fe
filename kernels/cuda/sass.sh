#!/usr/bin/env bash
# Looks into the machine code of the matrix products: their inner loops, one a kernel
# and architecture, load 128 bits at a time from global memory, and at least 70 % of
# their instructions are FFMA, 65 % in strip, whose tiles are narrow because a block
# owns all rows of its columns. The counts are compared with sass.md. Usage: sass.sh
# [--update]; with --update sass.md is written.
set -euo pipefail
# shellcheck source=tools.sh
. "$(dirname "$0")/tools.sh"

readonly least=70 least_strip=65
readonly files="gemm/gemm.ptx cuda/fused/strip.ptx cuda/fused/updates.ptx"
update=false
case "${1:-}" in
  "") ;;
  --update) update=true ;;
  *) fail "unknown argument $1; usage: sass.sh [--update]" ;;
esac

environment cuda13 "nvidia-cuda-nvcc==$version13" "nvidia-nvvm==$version13" "nvidia-cuda-crt==$version13" \
  "nvidia-cuda-runtime==$version13" nvidia-cuda-cccl "nvidia-cuda-nvdisasm==$version13"
ptxas="$(tool cuda13 ptxas)"
nvdisasm="$(tool cuda13 nvdisasm)"

tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT

# loops: for each kernel the loop of most FFMA an instruction among those that load
# 128 bits from global memory and hold no other loop: "kernel all ffma lds lds128 ldg
# ldg128".
loops() {
  awk '
    function done_loop(first, last,   i, op, all, ffma, lds, lds128, ldg, ldg128) {
      for (i = first; i <= last; i++) {
        op = code[i]; all++
        if (op == "FFMA") ffma++
        if (op ~ /^LDS\./ || op == "LDS") { lds++; if (op ~ /\.128/) lds128++ }
        if (op ~ /^LDG\./) { ldg++; if (op ~ /\.128/) ldg128++ }
      }
      if (ldg128 > 0 && ffma / all > best[name]) {
        best[name] = ffma / all
        line[name] = name " " all " " ffma " " lds + 0 " " lds128 + 0 " " ldg " " ldg128
      }
    }
    /^\.text\./ { name = substr($1, 7); sub(/:.*/, "", name); n = 0; delete label; order[++k] = name; next }
    /^\.L_/ { l = $1; sub(/:.*/, "", l); label[l] = n + 1; next }
    /^ *\t*\/\*[0-9a-f]+\*\// {
      s = $0
      sub(/^[ \t]*\/\*[0-9a-f]+\*\/[ \t]*/, "", s)
      sub(/^@!?U?P[0-9T]+ +/, "", s)
      op = s; sub(/[ ;].*/, "", op)
      code[++n] = op
      if (op ~ /^BRA/ && match(s, /`\(\.L_[A-Za-z0-9_]+\)/)) {
        l = substr(s, RSTART + 2, RLENGTH - 3)
        if (l in label && label[l] <= n) done_loop(label[l], n)
      }
    }
    END { for (i = 1; i <= k; i++) if (order[i] in line) print line[order[i]] }'
}

for arch in $architectures; do
  for ptx in $files; do
    "$ptxas" -arch="$arch" -o "$tmp/out.cubin" "$kernels/$ptx"
    "$nvdisasm" -c "$tmp/out.cubin" | loops | sort | sed "s/^/$arch /"
  done
done >"$tmp/all"

# shellcheck disable=SC2086
want=$(($(cd "$kernels" && cat $files | grep -c '\.entry') * $(wc -w <<<"$architectures")))
[ "$(wc -l <"$tmp/all")" = "$want" ] || fail "found $(wc -l <"$tmp/all") inner loops with 128-bit loads, expected $want"
awk -v least="$least" -v strip="$least_strip" '100 * $4 < ($2 == "strip" ? strip : least) * $3 { print $2 " for " $1 ": " $4 " of " $3 " instructions are FFMA" }
  $7 != $8 { print $2 " for " $1 ": " $8 " of " $7 " global loads have 128 bits" }' "$tmp/all" >"$tmp/bad"
[ ! -s "$tmp/bad" ] || { cat "$tmp/bad" >&2 && fail "the inner loops must be at least $least % FFMA ($least_strip % in strip) and load 128 bits at a time"; }

{
  echo "# Inner loops of the matrix products"
  echo
  echo "Written by sass.sh --update, from the machine code of ptxas $version13: the loop along k over whole steps."
  echo
  echo "| architecture | kernel | instructions | FFMA | share | shared loads, of 128 bits | global loads, of 128 bits |"
  echo "|---|---|---:|---:|---:|---:|---:|"
  awk '{ printf "| %s | %s | %d | %d | %.1f %% | %d, %d | %d, %d |\n", $1, $2, $3, $4, 100 * $4 / $3, $5, $6, $7, $8 }' "$tmp/all"
} >"$tmp/sass.md"
agree "$tmp/sass.md" "$kernels/cuda/sass.md" "the machine code has changed"
echo "inner loops: $(awk '{ s = 100 * $4 / $3; if (!n++ || s < low) low = s; if (s > high) high = s } END { printf "%.1f to %.1f %% FFMA", low, high }' "$tmp/all"), all global loads of 128 bits"
