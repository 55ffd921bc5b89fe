# tools.sh is read by the other scripts here: NVIDIA's assembler, compiler and
# disassembler from PyPI, in virtual environments under build/, which git ignores, and
# what the assembler makes, there too. Nothing is installed outside, and no GPU or driver
# is needed.

readonly version12=12.9.86 version13=13.5.37
readonly architectures="sm_75 sm_80 sm_86 sm_89 sm_90 sm_100 sm_120"

fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
readonly root kernels="$root/kernels" tools="$root/build/cuda-tools"

# environment cuda12 installs the older ptxas, environment cuda13 the newer one with nvcc and
# nvdisasm, each once for each list of packages.
environment() {
  local dir="$tools/$1" packages="nvidia-cuda-nvcc-cu12==$version12"
  [ "$1" = cuda12 ] || packages="nvidia-cuda-nvcc==$version13 nvidia-nvvm==$version13 nvidia-cuda-crt==$version13 nvidia-cuda-runtime==$version13 nvidia-cuda-cccl nvidia-cuda-nvdisasm==$version13"
  [ "$(cat "$dir/installed" 2>/dev/null || true)" = "$packages" ] && return
  command -v python3 >/dev/null || fail "python3 is missing; it installs NVIDIA's tools from PyPI"
  mkdir -p "$tools"
  echo '*' >"$tools/.gitignore"
  rm -rf "$dir"
  echo "installing $packages" >&2
  python3 -m venv "$dir" || fail "python3 cannot make a virtual environment; on Debian or Ubuntu: apt-get install -y python3-venv"
  # shellcheck disable=SC2086
  "$dir/bin/pip" install --quiet --disable-pip-version-check $packages || fail "pip could not install $packages: is there a network?"
  echo "$packages" >"$dir/installed"
}

# tool NAME PROGRAM prints where a program of an environment is.
tool() {
  local path
  path="$(find "$tools/$1" -path "*/bin/$2" \( -type f -o -type l \) | head -n 1)"
  [ -n "$path" ] || fail "there is no $2 in $tools/$1; remove that folder and try again"
  echo "$path"
}

# machine_code ENVIRONMENT ARCH PTX prints the path of the machine code of a PTX file for an
# architecture. What its ptxas reported (-v) is beside it, in PATH.report. What was made before,
# of the same bytes by the same ptxas, is in build/cubins, and is not made again.
machine_code() {
  local version="$version12" made hash out
  [ "$1" = cuda12 ] || version="$version13"
  hash="$(sha256sum "$kernels/$3")"
  made="$root/build/cubins/$version/$2/$(basename "$3" .ptx)-${hash:0:16}.cubin"
  if [ ! -f "$made" ]; then
    mkdir -p "${made%/*}"
    out="$(mktemp "$made.XXXXXX")"
    "$(tool "$1" ptxas)" -v -arch="$2" -o "$out" "$kernels/$3" 2>"$out.report" || { cat "$out.report" >&2; rm -f "$out"*; fail "ptxas $version does not take kernels/$3 for $2"; }
    mv "$out.report" "$made.report" && mv "$out" "$made"
  fi
  echo "$made"
}

# each FUNCTION calls it with the words of each line that it reads, as many calls at once as
# there are processors, and prints what they print in the order of the lines. It fails after
# the calls that run when one of them fails.
each() {
  local line n=0 i running=0 bad=0 out
  out="$(mktemp -d)"
  while read -r -a line; do
    if [ "$running" -ge "$(nproc)" ]; then
      wait -n || { bad=1 && break; }
      running=$((running - 1))
    fi
    n=$((n + 1))
    "$1" "${line[@]}" >"$out/$n" </dev/null &
    running=$((running + 1))
  done
  while [ "$running" -gt 0 ]; do
    wait -n || bad=1
    running=$((running - 1))
  done
  for ((i = 1; i <= n; i++)); do cat "$out/$i"; done
  rm -rf "$out"
  return $bad
}

# ptx_files lists the committed PTX, from the folder of the kernels; ptx_files ARCH what an
# architecture takes of it: of x.ptx, x.sm_80.ptx, … the last that is for it.
ptx_files() {
  local ptx
  (cd "$kernels" && ls -- */*.ptx cuda/*/*.ptx) | while read -r ptx; do
    [ -z "${1:-}" ] || [ "$ptx" = "$(form_of "$(source_of "$ptx")" "$1")" ] || continue
    echo "$ptx"
  done
}

# source_of prints the source of a PTX file, without .cu.
source_of() { sed 's/\.ptx$//;s/\.sm_[0-9]*$//' <<<"$1"; }

# form_of SOURCE ARCH prints the PTX of a source that an architecture takes, if any.
form_of() {
  (cd "$kernels" && for ptx in "$1".ptx "$1".sm_*.ptx; do
    [ ! -f "$ptx" ] || echo "$(target "$ptx") $ptx"
  done) | sort -n | awk -v arch="${2#sm_}" '$1 <= arch { best = $2 } END { if (best) print best }'
}

# target prints the number of the architecture that a file is for.
target() { sed -n 's/^\.target sm_//p;/^\.target/q' "$1"; }

# agree NEW OLD WHAT compares what was found with what is committed, or commits it.
agree() {
  if [ "${update:-false}" = true ]; then
    cmp -s "$1" "$2" || { cp "$1" "$2" && echo "wrote ${2#"$root"/}"; }
    return
  fi
  diff -u "$2" "$1" >&2 || fail "${2#"$root"/} is out of date: $3; see it with git diff after ${0##*/} --update"
}
