#!/bin/sh
# Removes what scripts/install.sh installed. What the machine made itself stays: keys, policy and traces.
set -eu
: "${PREFIX:=/usr/local}" "${DESTDIR:=}"
private=$DESTDIR$PREFIX/lib/datacrumbs
if [ ! -f "$private/installed" ]; then
  echo "uninstall: DataCrumbs is not installed in $DESTDIR$PREFIX" >&2
  exit 0
fi
[ -w "$private" ] || {
  echo "uninstall: cannot write to $private; run: sudo make uninstall" >&2
  exit 77
}
if [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]; then
  systemctl disable --quiet --now datacrumbs_sign_probes.socket datacrumbs_sign_probes.service || true
fi
while read -r file; do
  rm -f "$DESTDIR$file"
  # Folders that hold nothing any more were ours, down to the prefix and its usual folders.
  folder=$(dirname "$file")
  while [ "${folder#"$PREFIX"/*/}" != "$folder" ] && rmdir "$DESTDIR$folder" 2>/dev/null; do folder=$(dirname "$folder"); done
done <"$private/installed"
rm -rf "$private"
if [ -z "$DESTDIR" ]; then
  [ "$(id -u)" -ne 0 ] || ! command -v ldconfig >/dev/null || ldconfig
  if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
  for left in /etc/datacrumbs /var/lib/datacrumbs; do
    [ ! -e "$left" ] || echo "left as it is: $left (keys and policy); remove it if no machine relies on them"
  done
fi
