#!/bin/sh
# Installs what scripts/build.sh built: see docs/install.md. PREFIX and DESTDIR come from the environment.
#   PREFIX/lib/datacrumbs   a private Python environment, untouched by PYTHONPATH and by the user's packages
#   PREFIX/bin              the commands, as links into it
#   PREFIX/lib, include     the client library and its header
#   PREFIX/lib/systemd      the units;  PREFIX/etc/datacrumbs/configs   host YAMLs to start from
# What was installed outside PREFIX/lib/datacrumbs is listed in PREFIX/lib/datacrumbs/installed, for uninstall.
set -eu
cd "$(dirname "$0")/.."
: "${PREFIX:=/usr/local}" "${DESTDIR:=}"
case $PREFIX in /*) ;; *) echo "install: PREFIX must be an absolute path: $PREFIX" >&2; exit 64 ;; esac
mkdir -p "$DESTDIR$PREFIX/lib" 2>/dev/null && [ -w "$DESTDIR$PREFIX/lib" ] || {
  echo "install: cannot write to $DESTDIR$PREFIX; run: sudo make install" >&2
  exit 77
}

private=$PREFIX/lib/datacrumbs
staging=$DESTDIR$private.new
python=$(.venv/bin/python -c 'import sys; print(sys._base_executable)')
wheel=$(echo build/dist/datacrumbs-*.whl)
trap 'rm -rf "$staging" build/install' EXIT
rm -rf "$staging" build/install

# The versions that .venv was built and tested with.
mkdir -p build/install
.venv/bin/python -m pip --disable-pip-version-check freeze --exclude datacrumbs >build/install/constraints.txt
"$python" -m venv --without-pip "$staging"
.venv/bin/python -m pip --python "$staging/bin/python" --disable-pip-version-check -qq install --no-compile \
  --constraint build/install/constraints.txt --root-user-action ignore "$wheel"

# It was made in another place than it will live in. -I: neither PYTHONPATH nor the current directory nor ~/.local
# has a say in commands that root runs.
rm -f "$staging"/bin/[Aa]ctivate* "$staging"/lib/python3*/site-packages/datacrumbs-*.dist-info/direct_url.json
sed -i '/^command/d' "$staging/pyvenv.cfg"
find "$staging/bin" -type f -exec grep -lI '^#!.*python' {} + | xargs sed -i "1s|^#!.*|#!$private/bin/python -I|"
"$staging/bin/python" -m compileall -q -s "$staging" -p "$private" "$staging/lib" >/dev/null || true

DESTDIR=$DESTDIR .venv/bin/meson install -C build/meson --no-rebuild --quiet --tags devel,systemd,config,slurm
manifest=$staging/installed
# meson's log names the folders that it made, too.
sed -n "s|^$DESTDIR/|/|p" build/meson/meson-logs/install-log.txt | sort -u | while read -r file; do
  [ -d "$DESTDIR$file" ] || echo "$file"
done >"$manifest"

link() { # link TARGET-BELOW-PRIVATE NAME-BELOW-PREFIX
  mkdir -p "$(dirname "$DESTDIR$PREFIX/$2")"
  ln -sfn "../lib/datacrumbs/$1" "$DESTDIR$PREFIX/$2"
  echo "$PREFIX/$2" >>"$manifest"
}
for command in $(sed -n 's|^\(\.\./\)*bin/\([^,]*\),.*|\2|p' "$staging"/lib/python3*/site-packages/datacrumbs-*.dist-info/RECORD); do
  link "bin/$command" "bin/$command"
done
library=$(cd "$staging" && find lib -name libdatacrumbs_client.so -path '*/datacrumbs/*' | head -n 1)
if [ -n "$library" ]; then
  ln -sfn "datacrumbs/$library" "$DESTDIR$PREFIX/lib/libdatacrumbs_client.so"
  echo "$PREFIX/lib/libdatacrumbs_client.so" >>"$manifest"
fi

# What an older version installed and this one does not.
old=$DESTDIR$private
if [ -f "$old/installed" ]; then
  grep -vxFf "$manifest" "$old/installed" | while read -r file; do rm -f "$DESTDIR$file"; done
fi
rm -rf "$old"
mv "$staging" "$old"

if [ -z "$DESTDIR" ]; then
  [ "$(id -u)" -ne 0 ] || ! command -v ldconfig >/dev/null || ldconfig
  # Units are looked for below /usr and /usr/local; those of another prefix are linked.
  if [ -d /run/systemd/system ]; then
    systemd-sysusers "$PREFIX/lib/sysusers.d/datacrumbs.conf"
    systemd-tmpfiles --create "$PREFIX/lib/tmpfiles.d/datacrumbs.conf"
    case $PREFIX in /usr | /usr/local) ;; *) systemctl link --quiet "$PREFIX"/lib/systemd/system/datacrumbs* ;; esac
    systemctl daemon-reload
    systemctl enable --quiet --now datacrumbs_sign_probes.socket
  else
    echo "no systemd runs here: start the signer with: sudo datacrumbs_sign_probes &"
  fi
fi
echo "installed $(grep -c "^$PREFIX/bin/" "$old/installed") commands into $DESTDIR$PREFIX/bin"
