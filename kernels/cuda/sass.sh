#!/usr/bin/env bash
# Looks into the machine code of the matrix products: their inner loops, one a kernel
# and architecture, load 128 bits at a time from global memory, or have it copied to shared
# memory, and at least 70 % of their instructions are FFMA, 60 % in strips and gemm_nn_32,
# whose threads have fewer sums. Only a narrow strip loads an element besides.
# The counts, and the time that they take by a first-order model, are compared with
# sass.md, which says what the model is. Usage: sass.sh [--update]; with --update
# sass.md is written.
set -euo pipefail
# shellcheck source=tools.sh
. "$(dirname "$0")/tools.sh"

readonly least=70 least_narrow=60
readonly sources="gemm/gemm cuda/fused/strip cuda/fused/narrow cuda/fused/updates"
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
# 128 bits from global memory, or copy, and hold no other loop: "kernel all ffma lds lds128
# ldg ldg128 lds64 sts sts128 copies copies128".
loops() {
  awk '
    function done_loop(first, last,   i, op, all, ffma, lds, lds64, lds128, sts, sts128, ldg, ldg128, cp, cp128) {
      for (i = first; i <= last; i++) {
        op = code[i]; all++
        if (op == "FFMA") ffma++
        if (op ~ /^LDS\./ || op == "LDS") { lds++; if (op ~ /\.128/) lds128++; if (op ~ /\.64/) lds64++ }
        if (op ~ /^STS\./ || op == "STS") { sts++; if (op ~ /\.128/) sts128++ }
        if (op ~ /^LDGSTS\./) { cp++; if (op ~ /\.128/) cp128++ }
        if (op ~ /^LDG\./) { ldg++; if (op ~ /\.128/) ldg128++ }
      }
      if (ldg128 + cp > 0 && ffma / all > best[name]) {
        best[name] = ffma / all
        line[name] = name " " all " " ffma " " lds + 0 " " lds128 + 0 " " ldg + 0 " " ldg128 + 0 " " lds64 + 0 " " sts + 0 " " sts128 + 0 " " cp + 0 " " cp128 + 0
      }
    }
    /^\.text\./ { name = substr($1, 7); sub(/:.*/, "", name); n = 0; delete label; order[++k] = name; next }
    /^\.L_/ { l = $1; sub(/:.*/, "", l); label[l] = n + 1; next }
    /^ *\t*\/\*[0-9a-f]+\*\// {
      s = $0
      sub(/^[ \t]*\/\*[0-9a-f]+\*\/[ \t]*/, "", s)
      never = s ~ /^@!PT / # which only takes its turn
      sub(/^@!?U?P[0-9T]+ +/, "", s)
      op = never ? "NOP" : s; sub(/[ ;].*/, "", op)
      code[++n] = op
      if (op ~ /^BRA/ && match(s, /`\(\.L_[A-Za-z0-9_]+\)/)) {
        l = substr(s, RSTART + 2, RLENGTH - 3)
        if (l in label && label[l] <= n) done_loop(label[l], n)
      }
    }
    END { for (i = 1; i <= k; i++) if (order[i] in line) print line[order[i]] }'
}

# look ARCH PTX: the loops of a file for an architecture.
look() {
  "$ptxas" -arch="$1" -o "$tmp/$1-${2//\//-}" "$kernels/$2" || fail "ptxas does not take kernels/$2 for $1"
  "$nvdisasm" -c "$tmp/$1-${2//\//-}" | loops | sort | sed "s/^/$1 /;s/\$/ $(basename "$2" .ptx)/"
}

for arch in $architectures; do
  for source in $sources; do
    echo "$arch" "$(form_of "$source" "$arch")"
  done
done | each look >"$tmp/all"

# shellcheck disable=SC2086
want=$(($(cd "$kernels" && cat ${sources// /.ptx }.ptx | grep -c '\.entry') * $(wc -w <<<"$architectures")))
[ "$(wc -l <"$tmp/all")" = "$want" ] || fail "found $(wc -l <"$tmp/all") inner loops with 128-bit loads or copies, expected $want"
awk -v least="$least" -v narrow="$least_narrow" '100 * $4 < ($2 ~ /strip$/ || $2 == "gemm_nn_32" ? narrow : least) * $3 { print $2 " for " $1 ": " $4 " of " $3 " instructions are FFMA" }
  $7 - $8 > ($2 == "narrow_strip") { print $2 " for " $1 ": " $8 " of " $7 " global loads have 128 bits" }' "$tmp/all" >"$tmp/bad"
[ ! -s "$tmp/bad" ] || { cat "$tmp/bad" >&2 && fail "the inner loops must be at least $least % FFMA ($least_narrow % in strips and gemm_nn_32) and load 128 bits at a time"; }

# model: adds to each line the wavefronts of the loop, from what those of one access are in
# wavefronts.md, the cycles of the model, and FFMA's share of them in per cent.
model() {
  awk '
    NR == FNR {
      split($0, cell, " *[|] *"); split(cell[2], word, " "); kernel = word[1]; op = cell[3]
      class = op ~ /^ld.*v4/ ? "lds128" : op ~ /^ld.*v2/ ? "lds64" : op ~ /^st.*v4/ ? "sts128" : op ~ /^st/ ? "sts" : op ~ /^cp.*cg/ ? "cp128" : op ~ /^cp/ ? "cp" : "lds"
      if (cell[6] + 0 > cost[kernel, class]) cost[kernel, class] = cell[6] + 0
      next
    }
    function take(count, class) {
      if (count == 0) return 0
      if (!((form, class) in cost)) { print "no " class " of " form " in wavefronts.md" >"/dev/stderr"; exit 1 }
      return count * cost[form, class]
    }
    {
      form = $2
      if (match($14, /\.sm_[0-9]+$/)) form = form substr($14, RSTART)
      waves = take($12 - $13, "cp") + take($13, "cp128") + take($5 - $6 - $9, "lds") + take($9, "lds64") + take($6, "lds128") + take($10 - $11, "sts") + take($11, "sts128")
      math = $4 / ($1 == "sm_75" || $1 == "sm_80" ? 2 : 4)
      cycles = math
      if ($3 / 4 > cycles) cycles = $3 / 4
      if (waves > cycles) cycles = waves
      print $0, waves, cycles, 100 * math / cycles
    }' "$kernels/cuda/wavefronts.md" "$tmp/all"
}
model >"$tmp/timed"

{
  echo "# Inner loops of the matrix products"
  echo
  echo "Written by sass.sh --update, from the machine code of ptxas $version13: the loop along k over whole steps."
  echo
  echo "Cycles are those that the loop of one warp takes of a multiprocessor by a first-order model: the"
  echo "largest of a quarter of its instructions, since four schedulers issue one each; a quarter of its FFMA,"
  echo "or half where they have 16 lanes each (sm_75, sm_80); and the wavefronts of its accesses to shared"
  echo "memory (wavefronts.md), of which one passes. Peak is the share of FFMA in them: what the products"
  echo "reach if there are warps enough and global memory keeps up. steps.md has the times of whole steps"
  echo "that follow. No device has been timed."
  echo
  echo "| architecture | kernel | instructions | FFMA | share | shared loads, of 128 bits | stores, of 128 bits | global loads, of 128 bits | copies, of 128 bits | wavefronts | cycles | peak |"
  echo "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
  awk '{ printf "| %s | %s | %d | %d | %.1f %% | %d, %d | %d, %d | %d, %d | %d, %d | %d | %d | %.0f %% |\n", $1, $2, $3, $4, 100 * $4 / $3, $5, $6, $10, $11, $7, $8, $12, $13, $15, $16, $17 }' "$tmp/timed"
} >"$tmp/sass.md"
agree "$tmp/sass.md" "$kernels/cuda/sass.md" "the machine code has changed"
echo "inner loops: $(awk '{ s = 100 * $4 / $3; if (!n++ || s < low) low = s; if (s > high) high = s } END { printf "%.1f to %.1f %% FFMA", low, high }' "$tmp/all"), all loads from global memory to registers of 128 bits"
