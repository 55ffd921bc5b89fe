#!/usr/bin/env bash
# Looks into the machine code of the matrix products: their inner loops, one a kernel
# and architecture, load 128 bits at a time from global memory, or have it copied to shared
# memory, and at least 70 % of their instructions are FFMA, 60 % in strips and gemm_nn_32,
# whose threads have fewer sums. Only a narrow strip loads an element besides. Products on
# tensor cores are counted in HMMA, an instruction of a warp for 16×8 sums; an LDSM, which
# loads four matrices, is a load of 128 bits.
# The counts, and the time that they take by a first-order model, are compared with
# sass.md, which says what the model is. Usage: sass.sh [--update]; with --update
# sass.md is written.
set -euo pipefail
# shellcheck source=tools.sh
. "$(dirname "$0")/tools.sh"

readonly least=70 least_narrow=60
readonly sources="gemm/gemm gemm/tensor gemm/bfloat cuda/fused/strip cuda/fused/narrow cuda/fused/updates"
update=false
case "${1:-}" in
  "") ;;
  --update) update=true ;;
  *) fail "unknown argument $1; usage: sass.sh [--update]" ;;
esac

environment cuda13
nvdisasm="$(tool cuda13 nvdisasm)"

tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT

# loops: for each kernel the loop of most FFMA, or HMMA, an instruction among those that load
# 128 bits from global memory, or copy, and hold no other loop: "kernel all products lds lds128
# ldg ldg128 lds64 sts sts128 copies copies128".
loops() {
  awk '
    function done_loop(first, last,   i, op, all, products, lds, lds64, lds128, sts, sts128, ldg, ldg128, cp, cp128) {
      for (i = first; i <= last; i++) {
        op = code[i]; all++
        if (op == "FFMA" || op ~ /^HMMA\./) products++
        if (op ~ /^LDS\./ || op == "LDS") { lds++; if (op ~ /\.128/) lds128++; if (op ~ /\.64/) lds64++ }
        if (op ~ /^LDSM\./) { lds++; lds128++ }
        if (op ~ /^STS\./ || op == "STS") { sts++; if (op ~ /\.128/) sts128++ }
        if (op ~ /^LDGSTS\./) { cp++; if (op ~ /\.128/) cp128++ }
        if (op ~ /^LDG\./) { ldg++; if (op ~ /\.128/) ldg128++ }
      }
      if (ldg128 + cp > 0 && products / all > best[name]) {
        best[name] = products / all
        line[name] = name " " all " " products " " lds + 0 " " lds128 + 0 " " ldg + 0 " " ldg128 + 0 " " lds64 + 0 " " sts + 0 " " sts128 + 0 " " cp + 0 " " cp128 + 0
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

# sizes PTX: for each kernel of what ptxas reports of a file "kernel threads registers shared".
sizes() {
  awk '
    FNR == NR { if (/\.entry/) { name = $3; sub(/\(.*/, "", name) } if (/^\.maxntid/) { sub(/,.*/, "", $2); threads[name] = $2 } next }
    /Compiling entry function/ { split($0, part, "\x27"); name = part[2] }
    /Used [0-9]+ registers/ {
      shared = 0
      for (i = 1; i <= NF; i++) {
        if ($i == "Used") registers = $(i + 1)
        if ($(i + 1) == "bytes" && $(i + 2) ~ /^smem/) shared = $i
      }
      print name, threads[name], registers, shared
    }' "$kernels/$1" -
}

# look ARCH PTX: the loops of a file for an architecture, and the sizes of its kernels.
look() {
  local code loops="$tmp/$1-${2//\//-}"
  code="$(machine_code cuda13 "$1" "$2")" || exit 1
  "$nvdisasm" -c "$code" | loops | sort >"$loops"
  sizes "$2" <"$code.report" | sort | join "$loops" - | sed "s/^/$1 /;s/\$/ $(basename "$2" .ptx)/"
}

for arch in $architectures; do
  for source in $sources; do
    form="$(form_of "$source" "$arch")"
    [ -z "$form" ] || echo "$arch" "$form"
  done
done >"$tmp/todo"
each look <"$tmp/todo" >"$tmp/all"

want="$(while read -r _ ptx; do grep -c '\.entry' "$kernels/$ptx"; done <"$tmp/todo" | awk '{ n += $1 } END { print n }')"
[ "$(wc -l <"$tmp/all")" = "$want" ] || fail "found $(wc -l <"$tmp/all") inner loops with 128-bit loads or copies, expected $want"
awk -v least="$least" -v narrow="$least_narrow" '$2 !~ /^tensor/ && 100 * $4 < ($2 ~ /strip$/ || $2 == "gemm_nn_32" ? narrow : least) * $3 { print $2 " for " $1 ": " $4 " of " $3 " instructions are FFMA" }
  $7 - $8 > ($2 == "narrow_strip") { print $2 " for " $1 ": " $8 " of " $7 " global loads have 128 bits" }' "$tmp/all" >"$tmp/bad"
[ ! -s "$tmp/bad" ] || { cat "$tmp/bad" >&2 && fail "the inner loops must be at least $least % FFMA ($least_narrow % in strips and gemm_nn_32) and load 128 bits at a time"; }

# model: adds to each line the wavefronts of the loop, from what those of one access are in
# wavefronts.md, the cycles of its products, those of the model, the products' share of these in
# per cent, and how many blocks a multiprocessor holds.
model() {
  awk '
    BEGIN {
      # An FFMA of a warp, by lanes. An HMMA has 1024 products of TF32 or 2048 of BF16, which
      # go twice as fast: of TF32 a multiprocessor forms 512 a cycle on an A100 (156 TFLOPS), 128
      # on GeForce cards (RTX 3090: 35.6, 4090: 82.6, 5090: 104.8), and 1024 on an H100 (494.7),
      # of which mma.sync reaches 63 % (Luo et al., 2024). What it reaches on a B200 is not
      # published: as on an H100.
      split("sm_75 sm_80 sm_86 sm_89 sm_90 sm_100 sm_120", arch, " ")
      split("0.5 0.5 0.25 0.25 0.25 0.25 0.25", lanes, " ")
      split("0 2 8 8 1.6 1.6 8", tensor, " ")
      # What a multiprocessor holds: KiB of shared memory, warps, blocks (CUDA C++ Programming
      # Guide, compute capabilities), beside 65536 registers.
      split("64 164 100 100 228 228 100", kib, " ")
      split("32 64 48 48 64 64 48", warps, " ")
      split("16 32 16 24 32 32 24", most, " ")
      for (i in arch) { ffma[arch[i]] = lanes[i]; hmma[arch[i]] = tensor[i]; memory[arch[i]] = kib[i] * 1024; room[arch[i]] = warps[i]; limit[arch[i]] = most[i] }
    }
    function least(x, y) { return x < y ? x : y }
    # Registers are given to a warp 256 at a time; of shared memory a block has 1 KiB more.
    function held(arch, threads, registers, shared,   n) {
      n = least(limit[arch], int(room[arch] * 32 / threads))
      n = least(n, int(65536 / (threads / 32) / (int((registers * 32 + 255) / 256) * 256)))
      return least(n, int(memory[arch] / (shared + (arch == "sm_75" ? 0 : 1024))))
    }
    NR == FNR {
      split($0, cell, " *[|] *"); split(cell[2], word, " "); kernel = word[1]; op = cell[3]
      class = op ~ /^ld.*v4|^ldmatrix/ ? "lds128" : op ~ /^ld.*v2/ ? "lds64" : op ~ /^st.*v4/ ? "sts128" : op ~ /^st/ ? "sts" : op ~ /^cp.*cg/ ? "cp128" : op ~ /^cp/ ? "cp" : "lds"
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
      if (match($17, /\.sm_[0-9]+$/)) form = form substr($17, RSTART)
      waves = take($12 - $13, "cp") + take($13, "cp128") + take($5 - $6 - $9, "lds") + take($9, "lds64") + take($6, "lds128") + take($10 - $11, "sts") + take($11, "sts128")
      math = $4 * ($2 ~ /^tensor/ ? hmma[$1] : ffma[$1])
      cycles = math
      if ($3 / 4 > cycles) cycles = $3 / 4
      if (waves > cycles) cycles = waves
      print $0, waves, math, cycles, 100 * math / cycles, held($1, $14, $15, $16)
    }' "$kernels/cuda/wavefronts.md" "$tmp/all"
}
model >"$tmp/timed"

{
  echo "# Inner loops of the matrix products"
  echo
  echo "Written by sass.sh --update, from the machine code of ptxas $version13: the loop along k over whole steps."
  echo
  echo "Products are FFMA; those of tensor_… HMMA, of 16×8×8 products in TF32 or 16×8×16 in BF16, whose"
  echo "operands are loaded by LDSM, of 128 bits. Cycles"
  echo "are those that the loop of one warp takes of a multiprocessor by a first-order model: the largest of"
  echo "a quarter of its instructions, since four schedulers issue one each; of what its products take, an"
  echo "FFMA a quarter, or half where schedulers have 16 lanes each (sm_75, sm_80), and an HMMA 1.6 on sm_90"
  echo "(mma.sync reaches 63 % of the rate of an H100: Luo et al., 2024) and sm_100, where no figure is"
  echo "published, 2 on sm_80 (A100) and 8 on the others (GeForce); and of the wavefronts of its accesses to"
  echo "shared memory (wavefronts.md), of which one passes. Peak is the share of the products in them: what"
  echo "the kernels reach if there are warps enough and global memory keeps up. Blocks are those that fit a"
  echo "multiprocessor at a time. steps.md has the times of whole steps that follow. No device has been timed."
  echo
  echo "| architecture | kernel | instructions | products | share | shared loads, of 128 bits | stores, of 128 bits | global loads, of 128 bits | copies, of 128 bits | wavefronts | of products | cycles | peak | registers × threads | blocks |"
  echo "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
  awk '{ printf "| %s | %s | %d | %d | %.1f %% | %d, %d | %d, %d | %d, %d | %d, %d | %d | %.4g | %.4g | %.0f %% | %d × %d | %d |\n", $1, $2, $3, $4, 100 * $4 / $3, $5, $6, $10, $11, $7, $8, $12, $13, $18, $19, $20, $21, $15, $14, $22 }' "$tmp/timed"
} >"$tmp/sass.md"
agree "$tmp/sass.md" "$kernels/cuda/sass.md" "the machine code has changed"
echo "inner loops: $(awk '$2 !~ /^tensor/ { s = 100 * $4 / $3; if (!n++ || s < low) low = s; if (s > high) high = s } END { printf "%.1f to %.1f %% FFMA", low, high }' "$tmp/all"), all loads from global memory to registers of 128 bits"
