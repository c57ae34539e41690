#!/bin/sh
# Installs the Debian packages that building, testing and the demo need, where they are missing. Needs root for that.
#   install-dependencies.sh build|demo|test
set -eu

build="python3-venv python3-dev gcc libc6-dev pkg-config libbpf-dev libisal-dev libjansson-dev clang llvm"
test="git strace bpftrace bpftool g++ nodejs iproute2 util-linux mount e2fsprogs libslurm-dev"

# Lanes: tests that are skipped, and say so, where their packages cannot be had.
cluster="systemd systemd-container debootstrap"        # real nodes, also of other releases
browser="chromium fonts-dejavu-core"                   # the HTML report is looked at; the demo's picture of it
custom="python3-bpfcc linux-headers-$(dpkg --print-architecture 2>/dev/null || echo amd64)" # compiled when a run starts
layers="libhdf5-openmpi-dev openmpi-bin libc6-dbg dwz" # HDF5 over MPI-IO; debugging information in other files
disks="xfsprogs btrfs-progs"                           # other file systems than ext4
vm="qemu-system-x86 kmod busybox-static"               # other kernels in an emulator

case "${1:-build}" in
  build) needed=$build lanes="" ;;
  demo) needed=$build lanes="browser" ;;
  test) needed="$build $test" lanes="cluster browser custom layers disks vm" ;;
  *) echo "usage: $0 build|demo|test" >&2; exit 64 ;;
esac

if ! command -v dpkg-query >/dev/null; then
  echo "$0: not a Debian system: see docs/install.md for what must be installed" >&2
  exit 0
fi

# Those of the given packages that are not installed.
missing() {
  for package; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || printf '%s ' "$package"
  done
}

# shellcheck disable=SC2046,SC2086  # lists of words on purpose
install() {
  set -- $(missing "$@")
  [ $# -gt 0 ] || return 0
  echo "installing: $*"
  apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "$@" >/dev/null
}

wanted=$needed
for lane in $lanes; do eval "wanted=\"\$wanted \$$lane\""; done
# shellcheck disable=SC2086
absent=$(missing $wanted)
[ -n "$absent" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
  echo "$0: missing packages; install them with: sudo apt-get install --no-install-recommends $absent" >&2
  exit 69
fi
export DEBIAN_FRONTEND=noninteractive
# The lists may be missing or stale on a fresh machine; an unreachable mirror must not stop us if they are good.
apt-get update -qq || echo "$0: apt-get update failed, trying with the lists at hand" >&2
# shellcheck disable=SC2086
install $wanted && exit 0
echo "$0: not all at once; what is needed first" >&2
# shellcheck disable=SC2086
install $needed
for lane in $lanes; do
  eval "packages=\$$lane"
  # shellcheck disable=SC2154,SC2086
  install $packages || echo "$0: no packages for '$lane': its tests, or the demo's picture, will be left out" >&2
done
