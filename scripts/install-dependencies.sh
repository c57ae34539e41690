#!/bin/sh
# Installs the Debian packages that building, testing and the demo need, where they are missing. Needs root for that.
#   install-dependencies.sh build|test
set -eu

# Custom probes are compiled on the spot.
arch=$(dpkg --print-architecture 2>/dev/null || echo amd64)
build="python3-venv python3-dev gcc libc6-dev pkg-config libbpf-dev libisal-dev libjansson-dev clang llvm"
test="$build git strace bpftrace bpftool g++ nodejs systemd systemd-container iproute2 util-linux libslurm-dev python3-bpfcc linux-headers-$arch"
# The browser in which the HTML report is looked at.
test="$test chromium fonts-dejavu-core"
# A program that writes through HDF5 and MPI-IO, and debugging information that is in a file of its own.
test="$test libhdf5-openmpi-dev openmpi-bin libc6-dbg"
# ext4 on loop devices, and other kernels in an emulator.
test="$test e2fsprogs mount qemu-system-x86 kmod busybox-static"

case "${1:-build}" in
  build) wanted=$build ;;
  test) wanted=$test ;;
  *) echo "usage: $0 build|test" >&2; exit 64 ;;
esac

if ! command -v dpkg-query >/dev/null; then
  echo "$0: not a Debian system: see docs/install.md for what must be installed" >&2
  exit 0
fi

missing=""
for package in $wanted; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
  echo "$0: missing packages; install them with: sudo apt-get install --no-install-recommends$missing" >&2
  exit 69
fi
export DEBIAN_FRONTEND=noninteractive
echo "installing:$missing"
# The lists may be missing or stale on a fresh machine; an unreachable mirror must not stop us if they are good.
apt-get update -qq || echo "$0: apt-get update failed, trying with the lists at hand" >&2
# shellcheck disable=SC2086  # a list of words on purpose
apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 $missing >/dev/null
