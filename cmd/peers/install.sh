#!/bin/sh
# Makes .venv beside this file and installs into it the peers that the
# benchmarks compare with. A peer that cannot be installed is left out, the other
# one works without it. Exits with 1 if there is none.
#
#   PYTHON=python3.12 ./install.sh     another interpreter
#   ./install.sh jax                   one peer only: jax or torch
set -u
cd "$(dirname "$0")" || exit 1
python=${PYTHON:-python3}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
	echo "The peers need Python 3.11 or later as $python: install it, or name another with PYTHON=…" >&2
	exit 1
}
if [ ! -x .venv/bin/python ]; then
	"$python" -m venv .venv || {
		rm -rf .venv
		echo "$python cannot make a virtual environment: install its venv module (Debian: apt-get install python3-venv)" >&2
		exit 1
	}
fi

installed=
for peer in ${*:-jax torch}; do
	[ -f "requirements-$peer.txt" ] || {
		echo "There is no peer $peer: choose jax or torch" >&2
		exit 2
	}
	echo "== $peer"
	if .venv/bin/python -m pip install --quiet --disable-pip-version-check -r "requirements-$peer.txt" &&
		.venv/bin/python -c "import $peer; print('$peer', $peer.__version__)"; then
		installed="$installed $peer"
	else
		echo "$peer could not be installed, see above; its rows will be missing, everything else works" >&2
	fi
done
[ -n "$installed" ] || { echo "No peer was installed" >&2; exit 1; }
command -v c++ >/dev/null || command -v g++ >/dev/null ||
	echo "There is no C++ compiler: PyTorch's compiled rows will be missing" >&2
echo "Installed:$installed"
