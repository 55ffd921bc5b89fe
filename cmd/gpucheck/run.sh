#!/bin/sh
# Checks the CUDA device of this machine and writes a report, gpu-check.md, beside this
# script, or in the present folder if this one cannot be written to, or where -out says: a
# folder, or a file *.md. It needs Linux on x86-64 with glibc @GLIBC@ or later and NVIDIA's
# driver: no Go, no compiler, no CUDA toolkit, no network, no home. nvidia-smi,
# compute-sanitizer, Nsight Compute and PyTorch (of python3, or of the interpreter that
# -python names) are used where they are installed. What they, and the driver's cache
# (CUDA_CACHE_PATH), write besides goes to a folder that is removed in the end.
#
#   ./run.sh                     the first usable device, -plan quarter-hour: 400 s at most
#   ./run.sh -plan rest          beside PyTorch, compute-sanitizer, the command line: 330 s
#   ./run.sh -plan all           both, in an hour at most
#   ./run.sh -device cuda:1      another one
#   ./run.sh -device virtual     on the CPU, to see that this folder is complete; small, slow
#   ./run.sh -help               all flags
#
# The report and what programs print are written as they come: what is there when the run is
# cut off counts. The exit code is 0 if every check that ran passed, and 1 if one failed.
here=$(cd "$(dirname "$0")" && pwd) || exit 1
out=$here
[ -w "$out" ] || out=.
# The program goes where files may be written and run, and removes that folder in the end.
for in in "${TMPDIR:-/tmp}" "$out" /dev/shm; do
	work=$(mktemp -d "$in/.gpucheck-XXXXXX" 2>/dev/null) || continue
	work=$(cd "$work" && pwd)
	gzip -dc "$here/bin/gpucheck.gz" >"$work/gpucheck" && chmod 755 "$work/gpucheck" && "$work/gpucheck" -help 2>/dev/null && break
	rm -rf "$work"
	work=
done
if [ -z "$work" ]; then
	echo "run.sh: no folder takes 25 MB and lets files be run: name one in TMPDIR" >&2
	exit 1
fi
exec "$work/gpucheck" -work "$work" -suite "$here/bin" -data "$here/data" -out "$out" -plan quarter-hour "$@"
