"""The configurator as users type it: what it prints, what it writes, and that no mistake overwrites anything."""

from __future__ import annotations

import gzip
import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datacrumbs.core import envelope
from datacrumbs.core.keys import KeyRing

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="not root: run sudo make test")

NOBODY = 65534
READS = "capture_probes:\n  - {name: io, probe: syscalls, category: POSIX, regex: 'read|write'}\n"
LIBC = "capture_probes:\n  - {name: c, probe: uprobe, file: libc.so.6, regex: 'fopen|vfork'}\n"


def host(site: Any, text: str | bytes = READS) -> Path:
    path = site.folder / "host.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_host_yaml_becomes_a_signed_file(signer: Any) -> None:
    out = signer.folder / "probes.json.gz"
    result = signer.configure(host(signer), out)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{out}: 2 functions, signed\n"
    sealed = envelope.unseal(out.read_bytes(), KeyRing.load(signer.keys_dir), uid=0, now=time.time())
    assert [(p.name, p.category) for p in sealed.probes.probes] == [("read", "POSIX"), ("write", "POSIX")]


def test_every_user_may_have_one_made(signer: Any) -> None:
    home = signer.folder / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    result = signer.configure(host(signer, LIBC), home / "p", uid=NOBODY)
    assert result.returncode == 0, result.stderr
    document = json.loads(gzip.decompress((home / "p").read_bytes()).splitlines()[1])
    assert document["signed"]["uid"] == NOBODY


def test_dry_run_shows_a_table_and_needs_no_signer(site: Any) -> None:
    result = site.configure(host(site, LIBC), "--dry-run")
    assert result.returncode == 0
    header, row = result.stdout.splitlines()
    assert header.split() == ["entry", "category", "functions", "where", "captured", "for", "example"]
    assert re.match(r"c +c +1 +/\S+libc\S+ +result, arguments +fopen", row)
    assert "left out: c: vfork: returns twice" in result.stderr


UPSTREAM = """
name: lead
install_dir: /home/alice/datacrumbs/install
mode: tracer
trace_file_path: /scratch/alice/logs/trace.pfw
capture_probes:
  - name: sys
    probe: syscalls
    type: header
    file: @HEADERS@/include/linux/syscalls.h
    regex: ^sys_(openat|read|write|close)$
  - name: libc
    probe: uprobe
    type: binary
    file: libc.so.6
    regex: ^(?!.*_IO_)(?!.*pthread)(?!.*cold)(?!__)f(open|close|read|write)$
  - name: os_page_cache
    probe: kprobe
    type: header
    file: @HEADERS@/include/linux/pagemap.h
  - name: simulation
    probe: uprobe
    type: binary
    file: /home/alice/bin/simulation
    disable: true
profiling_interval: 0.0001
"""


def test_a_whole_file_of_upstream_is_signed_with_remarks(signer: Any) -> None:
    """Keys that mean nothing here and headers that are not on this machine are told with their places; what is left is
    signed.
    """
    out = signer.folder / "probes.json.gz"
    result = signer.configure(host(signer, UPSTREAM), out, "--set", "HEADERS=/usr/src/kernels/none")
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{out}: 8 functions, signed\n"
    path = str(signer.folder / "host.yaml")
    for place, what in (("2:7", "'name' means nothing here"), ("5:18", "'trace_file_path' means nothing here"),
                        ("10:11", "/include/linux/syscalls.h is not on this machine: the names come from the kernel"),
                        ("20:11", "/include/linux/pagemap.h is not on this machine, and no pattern says"),
                        ("26:21", "'profiling_interval' of 0.0001 s is taken as 10 ms")):  # fmt: skip
        (line,) = [line for line in result.stderr.splitlines() if f"{path}:{place}: " in line]
        assert what in line
    sealed = envelope.unseal(out.read_bytes(), KeyRing.load(signer.keys_dir), uid=0, now=time.time())
    assert {probe.category for probe in sealed.probes.probes} == {"sys", "libc"}


def test_list_prints_one_function_on_a_line(site: Any) -> None:
    result = site.configure(host(site), "--list")
    assert result.stdout.splitlines() == ["read\tPOSIX\tsyscall\tread (0)", "write\tPOSIX\tsyscall\twrite (1)"]


def test_placeholders_are_set_on_the_command_line(site: Any) -> None:
    text = READS.replace("read|write", "@CALLS@")
    assert site.configure(host(site, text), "--list", "--set", "CALLS=read").stdout.count("\n") == 1
    failed = site.configure(host(site, text), "--list")
    assert failed.returncode == 65
    assert "host.yaml:2:58: nothing is set for @CALLS@" in failed.stderr


def test_capture_asks_for_less_where_the_policy_allows_less(signer: Any) -> None:
    signer.policy.write_text("default: {capture: integers}\n")
    out = signer.folder / "p"
    refused = signer.configure(host(signer), out)
    assert refused.returncode == 77
    assert "rule 'default', allows to capture 'integers', not the arguments of read; add --capture integers" in (
        refused.stderr
    )
    assert not out.exists()
    assert signer.configure(host(signer), out, "--capture", "integers").returncode == 0


def test_files_that_take_part_in_exceptions_are_named(site: Any, build: Callable[..., Path]) -> None:
    file = build("namespace io { int put(int x) { throw x; } }", cxx=True)
    text = f"capture_probes:\n  - {{name: c, probe: uprobe, file: {file}, regex: 'io::.*'}}\n"
    result = site.configure(host(site, text), "--dry-run")
    assert "io::put(int)" in result.stdout
    assert f"{file} takes part in C++ exceptions" in result.stderr


def test_a_progress_bar_appears_only_when_it_takes_long(site: Any, build: Callable[..., Path]) -> None:
    """A selection of nothing difficult, on a terminal: no bar, no control characters."""
    ours, theirs = pty.openpty()
    code = "from datacrumbs.configurator.command import main; raise SystemExit(main())"
    subprocess.run(
        [sys.executable, "-c", code, str(host(site)), "--list", "--config", str(site.config)],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        check=True,
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    try:
        assert os.read(ours, 100) == b""
    except (BlockingIOError, OSError):
        pass
    finally:
        os.close(ours)


MISTAKES: list[tuple[str, str | bytes, list[str], int, str]] = [
    ("empty", "", [], 65, "is empty"),
    ("not-yaml", "a: [", [], 65, "not YAML"),
    ("not-text", b"\xff\xfe\x00", [], 65, "is not UTF-8"),
    ("binary", bytes(range(256)), [], 65, "not UTF-8"),
    ("list", "- a\n", [], 65, ":1:1: a mapping"),
    ("number", "5", [], 65, ":1:1: a mapping"),
    ("misspelt-key", "capture_probs: []", [], 65, "did you mean 'capture_probes'?"),
    ("misspelt-probe", READS.replace("syscalls", "sycalls"), [], 65, "did you mean 'syscalls'?"),
    ("no-entries", "capture_probes: []", [], 65, "the list is empty"),
    ("wrong-type", "capture_probes: yes", [], 65, "a list is wanted here, this is true or false"),
    ("regex", READS.replace("read|write", "(read"), [], 65, "not a regular expression"),
    ("slow-regex", LIBC.replace("fopen|vfork", r"(?:\w|\w\w|\w\w\w)+\W"), [], 65, "takes too long"),
    ("nothing-fits", READS.replace("read|write", "raed"), [], 65, "no function fits"),
    ("only-unsafe", LIBC.replace("fopen|", ""), [], 65, "no function fits"),
    ("missing-elf", LIBC.replace("libc.so.6", "/nonexistent.so"), [], 66, "No such file"),
    ("unknown-library", LIBC.replace("libc.so.6", "libnone.so.9"), [], 66, "the loader knows no library"),
    ("folder-as-elf", LIBC.replace("libc.so.6", "/tmp"), [], 66, "is a directory"),
    ("device-as-elf", LIBC.replace("libc.so.6", "/dev/zero"), [], 66, "is a device"),
    ("text-as-elf", LIBC.replace("libc.so.6", "/etc/passwd"), [], 65, "not a valid ELF file"),
    ("relative-elf", LIBC.replace("libc.so.6", "./libc.so"), [], 65, "is not an absolute path"),
    ("bomb", "a: &a [x,x,x,x,x]\n" + "".join(f"b{i}: *a\n" for i in range(300)), [], 65, "more than 256 aliases"),
    ("deep", "[" * 500, [], 65, "more than 32 levels"),
    ("large", "#" * 300_000, [], 65, "is larger than"),
    ("duration", READS + "min_duration: soon\n", [], 65, "a time up to one hour"),
    ("mode", READS + "mode: profiled\n", [], 65, "is not one of trace"),
    ("unset", READS.replace("read|write", "@X@"), [], 65, "nothing is set for @X@"),
    ("bad-set", READS, ["--set", "x"], 64, "not VAR=VALUE"),
    ("bad-option", READS, ["--dryrun"], 64, "unrecognized arguments"),
    ("bad-capture", READS, ["--capture", "all"], 64, "invalid choice"),
    ("no-signer", READS, ["--socket", "/nonexistent/s"], 69, "no signer answers at /nonexistent/s"),
    ("no-socket", READS, ["--socket", "/etc/passwd"], 69, "no signer answers"),
    ("long-socket", READS, ["--socket", "/" + "x" * 300], 69, "no signer answers"),
    ("terminal-codes", "\u202e\x1b[2J: 1", [], 65, "not YAML"),
]


@pytest.mark.parametrize(
    ("text", "options", "code", "message"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES]
)
def test_each_mistake_is_one_line_with_its_code_and_nothing_is_overwritten(
    site: Any, text: str | bytes, options: list[str], code: int, message: str
) -> None:
    out = site.folder / "out" / "probes.json.gz"
    out.parent.mkdir()
    out.write_text("precious")
    result = site.configure(host(site, text), out, *options)
    errors = [line for line in result.stderr.splitlines() if "error:" in line]
    assert result.returncode == code, result.stderr
    assert len(errors) == 1
    assert message in errors[0]
    assert re.search(r"\[(user|administrator)\]$", errors[0])
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.stderr
    assert out.read_text() == "precious"
    assert os.listdir(out.parent) == ["probes.json.gz"]


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("missing.yaml", 66, "No such file"),
        (".", 66, "is a directory"),
        ("fifo", 66, "is a FIFO"),
        ("secret.yaml", 66, "Permission denied"),
        ("x" * 300, 66, "File name too long"),
        ("a\nb", 66, r"a\nb: No such file"),
    ],
)
def test_a_host_yaml_that_cannot_be_read_is_told(site: Any, name: str, code: int, message: str) -> None:
    os.mkfifo(site.folder / "fifo")
    (site.folder / "secret.yaml").write_text(READS)
    (site.folder / "secret.yaml").chmod(0)
    result = site.configure(site.folder / name, "--list", uid=NOBODY)
    assert result.returncode == code, result.stderr
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("out", ["/proc/probes", "/nonexistent/probes", "/tmp", "/dev/full/x"])
def test_an_output_that_cannot_be_written_is_told(signer: Any, out: str) -> None:
    result = signer.configure(host(signer), out)
    assert result.returncode == 73
    assert f"cannot write {out}" in result.stderr


def test_an_output_that_is_a_link_is_replaced_not_followed(signer: Any) -> None:
    (signer.folder / "precious").write_text("precious")
    out = signer.folder / "out"
    out.symlink_to("precious")
    assert signer.configure(host(signer), out).returncode == 0
    assert (signer.folder / "precious").read_text() == "precious"
    assert not out.is_symlink()


def test_too_many_functions_are_told_with_the_limit(site: Any) -> None:
    site.config.write_text("max_functions: 10\n")
    result = site.configure(host(site, LIBC.replace("fopen|vfork", ".*")), "--list")
    assert result.returncode == 65
    assert "functions are selected, 10 are allowed" in result.stderr
