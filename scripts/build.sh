#!/bin/sh
# Builds the checkout and installs it into its .venv, so that every command stands in .venv/bin.
#   build.sh [PREFIX]     PREFIX: what installed files will say of their own place (default /usr/local)
#
# Quick when nothing or little changed: dependencies are installed when pyproject.toml changes, and the build directory
# is kept. As root in someone else's checkout (sudo make …) it works as that person, so that nothing there becomes root's.
set -eu
cd "$(dirname "$0")/.."
prefix=${1:-/usr/local}

owner=$(stat -c %u .)
if [ "$(id -u)" -eq 0 ] && [ "$owner" -ne 0 ]; then
  home=$(getent passwd "$owner" | cut -d: -f6)
  exec setpriv --reuid "$owner" --regid "$(stat -c %g .)" --init-groups env HOME="${home:-/tmp}" sh "$0" "$prefix"
fi

python=${PYTHON:-/usr/bin/python3}
venv=$PWD/.venv
stamps=$PWD/build/stamps
mkdir -p "$stamps"

# The environment: made anew when the interpreter or the checkout's place changed.
identity="$("$python" -c 'import sys; print(sys.version)' | tr '\n' ' ') $venv"
if [ ! -x "$venv/bin/python" ] || [ "$(cat "$stamps/venv" 2>/dev/null)" != "$identity" ]; then
  rm -rf "$venv" "$stamps/dependencies" "$stamps/installed"
  "$python" -m venv "$venv"
  printf '%s\n' "$identity" >"$stamps/venv"
fi

pip() { PYTHONDONTWRITEBYTECODE='' "$venv/bin/python" -m pip --disable-pip-version-check -qq "$@"; }
if ! cmp -s pyproject.toml "$stamps/dependencies"; then
  # Dependency groups need pip 25.1. Build requirements are read from where pip itself would read them.
  pip install 'pip>=25.1'
  "$venv/bin/python" - >"$stamps/requirements.txt" <<'PYTHON'
import tomllib
with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)
print("\n".join(project["build-system"]["requires"] + project["project"]["dependencies"]))
PYTHON
  pip install --requirement "$stamps/requirements.txt" --group dev
  rm -f "$stamps/installed"
  cp pyproject.toml "$stamps/dependencies"
fi

# The SPANK plugin is built where its header is: meson keeps what it found, so it looks anew when that changes.
optional=$(ls /usr/include/slurm/spank.h 2>/dev/null || true)
if [ "$(cat "$stamps/optional" 2>/dev/null)" != "$optional" ]; then
  rm -rf build/meson "$stamps/installed"
  printf '%s\n' "$optional" >"$stamps/optional"
fi

# Directories too: a removed file changes only its directory.
sources=$(sed -n "s/^foreach component : \[\(.*\)\]/\1/p" meson.build | tr -d "',")
for entry in $sources; do [ -e "$entry" ] && set -- "$@" "$entry"; done
[ $# -eq 0 ] || [ "$1" != "$prefix" ] || shift
if [ -e "$stamps/installed" ] && [ "$(cat "$stamps/installed")" = "$prefix" ] && [ -z "$(find "$@" \
  meson.build meson.options pyproject.toml scripts/listing.py \
  -name __pycache__ -prune -o -newer "$stamps/installed" -print -quit)" ]; then
  exit 0
fi
printf '%s\n' "$prefix" >"$stamps/installing"
rm -rf build/dist
PATH="$venv/bin:$PATH" pip wheel --no-build-isolation --no-deps --wheel-dir build/dist \
  --config-settings=build-dir=build/meson --config-settings=setup-args="-Dprefix=$prefix" .
pip install --no-deps --no-index --force-reinstall build/dist/*.whl
mv "$stamps/installing" "$stamps/installed"
