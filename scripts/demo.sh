#!/bin/bash
# From nothing to the explained trace of two real programs. Needs root (sudo make demo), installs nothing, and leaves
# nothing but the trace: signer, keys, policy and sockets are its own, in a folder that goes away with it.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/.venv/bin

if [ "$(id -u)" -ne 0 ]; then
  echo "demo: loading eBPF programs needs root: type 'sudo make demo'" >&2
  exit 77
fi
# The traced programs run as whoever called sudo, as they would in the quick start.
user=${SUDO_USER:-root}
group=$(id -gn "$user")
as_user() {
  if [ "$user" = root ]; then "$@"; else setpriv --reuid "$user" --regid "$group" --init-groups env HOME="$work/home" "$@"; fi
}

work=$(mktemp -d /tmp/datacrumbs-demo.XXXXXX)
signer='' runtime='' mounted='' finished=''
finish() {
  local code=$?
  trap - EXIT INT TERM
  # By their process ids, the runtime first: it closes its trace.
  for process in $runtime $signer; do kill -TERM "$process" 2>/dev/null && wait "$process" 2>/dev/null || true; done
  [ -z "$mounted" ] || umount /sys/kernel/tracing 2>/dev/null || true
  if [ -z "$finished" ]; then
    echo "demo: failed; what the signer and the runtime said:" >&2
    cat "$work"/*.log >&2 2>/dev/null || true
    rm -rf "$work"
    [ "$code" -ne 0 ] || code=1
  else
    find "$work" -mindepth 1 -maxdepth 1 ! -name traces -exec rm -rf {} +
  fi
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }
wait_for() { # wait_for SECONDS PROCESS WHAT TEST…
  local tries=$(($1 * 20)) process=$2 what=$3
  shift 3
  until "$@"; do
    kill -0 "$process" 2>/dev/null || { echo "demo: $what ended early" >&2; exit 1; }
    ((tries-- > 0)) || { echo "demo: $what is not ready" >&2; exit 1; }
    sleep 0.05
  done
}

if [ ! -e /sys/kernel/tracing/events ]; then
  mount -t tracefs tracefs /sys/kernel/tracing
  mounted=yes
fi

chmod 755 "$work"
mkdir "$work"/{run,keys.d,secret,traces,home}
chmod 700 "$work/secret"
chown "$user:$group" "$work/traces" "$work/home"
cat >"$work/datacrumbs.yaml" <<YAML
trace_dir: $work/traces
run_dir: $work/run
keys_dir: $work/keys.d
signer_socket: $work/run/signer.sock
signing_key: $work/secret/signing.key
policy: $work/policy.yaml
YAML

step sudo datacrumbs_sign_probes
"$bin/datacrumbs_sign_probes" --config "$work/datacrumbs.yaml" 2>"$work/signer.log" &
signer=$!
wait_for 10 "$signer" "the signer" test -S "$work/run/signer.sock"

step datacrumbs_probe_configurator posix.yaml probes.json.gz
as_user "$bin/datacrumbs_probe_configurator" --config "$work/datacrumbs.yaml" \
  configurator/templates/posix.yaml "$work/home/probes.json.gz"

step sudo datacrumbs probes.json.gz demo
"$bin/datacrumbs" --config "$work/datacrumbs.yaml" --user "$user" "$work/home/probes.json.gz" demo \
  2> >(tee "$work/runtime.log" >&2) &
runtime=$!
wait_for 30 "$runtime" "the runtime" test -e "$work/run/datacrumbs-demo.ready"

export DATACRUMBS_RUN_DIR=$work/run
step datacrumbs_wrap dd if=/dev/zero of=out.bin bs=1M count=64 status=none
as_user "$bin/datacrumbs_wrap" dd if=/dev/zero of="$work/home/out.bin" bs=1M count=64 status=none

step datacrumbs_wrap python3 program.py
cat >"$work/home/program.py" <<'PYTHON'
"""Writes a few records, then reads them back in random order: a small program with a small I/O problem."""
import os, random, sys

path = os.path.join(sys.argv[1], "records.bin")
with open(path, "wb") as file:
    for number in range(1000):
        file.write(number.to_bytes(8, "little") * 64)
with open(path, "rb", buffering=0) as file:
    for number in random.sample(range(1000), 500):
        file.seek(number * 512)
        file.read(512)
os.rename(path, path + ".done")
PYTHON
cat "$work/home/program.py"
as_user "$bin/datacrumbs_wrap" /usr/bin/python3 "$work/home/program.py" "$work/home"

step kill -INT "'the runtime'"
kill -INT "$runtime"
wait "$runtime" || { echo "demo: the runtime failed" >&2; exit 1; }
runtime=''

traces=("$work"/traces/*.pfw.gz)
[ -s "${traces[0]}" ] || { echo "demo: there is no trace in $work/traces" >&2; exit 1; }
step datacrumbs_analyze summary "$(basename "${traces[0]}")"
as_user "$bin/datacrumbs_analyze" summary "${traces[@]}"
report=$work/traces/report.html
step datacrumbs_analyze report "$(basename "${traces[0]}")" -o report.html
as_user "$bin/datacrumbs_analyze" report "${traces[@]}" -o "$report" --title "demo"
as_user "$bin/python" scripts/screenshot.py "$report" "$work/traces/report.png" || true
finished=yes
printf '\nThe trace is %s\nThe report is %s: open it in a browser' "${traces[0]}" "$report"
[ ! -e "$work/traces/report.png" ] || printf ' (a picture of it: %s)' "$work/traces/report.png"
printf '\nLook at the trace again with: %s summary %s\nor drop it into https://ui.perfetto.dev\n' \
  ".venv/bin/datacrumbs_analyze" "${traces[0]}"
