#!/bin/sh
# Runs the test suite with the installed .venv. Arguments go to pytest: scripts/test.sh tests/unit/core -k envelope
# No pytest-xdist: tests that attach eBPF programs must run one after another.
set -eu
cd "$(dirname "$0")/.."
if [ "$(id -u)" -eq 0 ] && [ ! -e /sys/kernel/tracing/events ]; then
  mount -t tracefs tracefs /sys/kernel/tracing || echo "test: cannot mount tracefs: eBPF tests will be skipped" >&2
fi
# Other tools that read our traces, each in an environment of its own, before any test's time limit begins.
.venv/bin/python tests/support/readers.py
exec .venv/bin/python -m pytest "$@"
