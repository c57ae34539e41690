"""Whatever is given to `datacrumbs`: one line on stderr, the documented exit code, no traceback, nothing attached."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from datacrumbs.core import envelope
from datacrumbs.core.probes import ProbeSet
from leaks import nothing_is_left
from tracing import BIN, Site, binary, function_probes, syscall_probes

pytestmark = pytest.mark.ebpf

DAMAGED, NO_INPUT, REFUSED, USAGE, KERNEL = 65, 66, 77, 64, 71


@pytest.fixture(autouse=True, scope="module")
def clean() -> Iterator[None]:
    """After all of them nothing is attached."""
    yield
    nothing_is_left()


def refuse(site: Site, probes: str | Path, run_id: str = "bad", user: str = "root") -> tuple[int, str]:
    """Runs the command to its end; returns its exit code and its one line."""
    before = {*site.traces.iterdir(), *site.run_dir.iterdir()}
    command = [BIN / "datacrumbs", "--config", site.config, "--user", user, "--", probes, run_id]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=20)
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("datacrumbs: error: ")
    assert lines[0].endswith(("[user]", "[administrator]"))
    assert done.stdout == ""
    assert {*site.traces.iterdir(), *site.run_dir.iterdir()} == before
    return done.returncode, lines[0]


def payload(uid: int = 0, seconds: int = 3600, machine: str = os.uname().machine) -> bytes:
    now = int(time.time())
    return envelope.payload(
        envelope.Signed(uid, "tester", now - 7200, now + seconds, "test"),
        ProbeSet(machine, tuple(syscall_probes(["read"]))),
    )


def sealed(site: Site, text: bytes) -> bytes:
    return envelope.seal(text, site.key)


def repacked(data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The same file with its text changed, as valid gzip."""
    return gzip.compress(change(gzip.decompress(data)), mtime=0)


def bomb() -> bytes:
    """80 MiB of zeros in 80 KB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(80)) + packer.flush()


CONTENTS: dict[str, tuple[Callable[[Site], bytes], int, str]] = {
    "empty": (lambda s: b"", DAMAGED, "empty"),
    "not gzip": (lambda s: b"capture_probes: []\n", DAMAGED, "not gzip"),
    "one byte": (lambda s: b"\x1f", DAMAGED, "cut off"),
    "cut in the middle": (lambda s: (d := sealed(s, payload()))[: len(d) // 2], DAMAGED, "cut off"),
    "cut at the end": (lambda s: sealed(s, payload())[:-1], DAMAGED, "cut off"),
    "followed by bytes": (lambda s: sealed(s, payload()) + b"x", DAMAGED, "after its end"),
    "twice": (lambda s: 2 * sealed(s, payload()), DAMAGED, "after its end"),
    "gzip bomb": (lambda s: bomb(), DAMAGED, "unpacks to more than"),
    "too large": (lambda s: os.urandom(17 << 20), DAMAGED, "larger than"),
    "one line": (lambda s: repacked(sealed(s, payload()), lambda t: t.split(b"\n")[1] + b"\n"), DAMAGED, "two lines"),
    "three lines": (lambda s: repacked(sealed(s, payload()), lambda t: t + b"{}\n"), DAMAGED, "two lines"),
    "changed payload": (lambda s: repacked(sealed(s, payload(1)), lambda t: t.replace(b'"uid":1', b'"uid":0')),
        REFUSED, "changed after"),
    "changed signature": (
        lambda s: repacked(sealed(s, payload()), lambda t: t.replace(b'"signature":"', b'"signature":"AAAA', 1)),
        DAMAGED, "malformed header"),
    "no signature": (lambda s: gzip.compress(b'{"datacrumbs":1}\n' + payload() + b"\n"), DAMAGED, "malformed header"),
    "other version": (
        lambda s: repacked(sealed(s, payload()), lambda t: t.replace(b'"datacrumbs":1', b'"datacrumbs":2', 1)),
        DAMAGED, "has version 2"),
    "wrong key": (lambda s: envelope.seal(payload(), Ed25519PrivateKey.generate()), REFUSED, "does not trust"),
    "expired": (lambda s: sealed(s, payload(seconds=-1)), REFUSED, "expired on"),
    "wrong user": (lambda s: sealed(s, payload(uid=1000)), REFUSED, "not for uid 0"),
    "wrong architecture": (lambda s: sealed(s, payload(machine="riscv64")), KERNEL, "riscv64"),
    "signed, but no JSON": (lambda s: sealed(s, b"\xff{"), DAMAGED, ""),
    "signed, but deep JSON": (lambda s: sealed(s, b"[" * 100_000), DAMAGED, ""),
    "signed, but other JSON": (lambda s: sealed(s, b"[]"), DAMAGED, ""),
    "signed, without probes": (lambda s: sealed(s, json.dumps({"signed": {}, "probes": {}}).encode()), DAMAGED, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTENTS)
def test_content(site: Site, name: str) -> None:
    """A file with wrong content is refused with a word on what is wrong."""
    make, code, words = CONTENTS[name]
    path = site.folder / "bad.json.gz"
    path.write_bytes(make(site))
    actual, line = refuse(site, path)
    assert (actual, words in line) == (code, True), line


def test_twenty_flipped_bits(site: Site) -> None:
    """A bit that is not as it was signed is never accepted, wherever it is."""
    good, chance = sealed(site, payload()), random.Random(2)
    path = site.folder / "flipped.json.gz"
    for place in [chance.randrange(10, len(good)) for _ in range(20)]:
        data = bytearray(good)
        data[place] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        code, line = refuse(site, path)
        assert code in (DAMAGED, REFUSED), (place, line)


KINDS = {
    "missing": (lambda p: None, "No such file"),
    "folder": (lambda p: p.mkdir(), "a directory"),
    "fifo": (lambda p: os.mkfifo(p), "a FIFO"),
    "device": (lambda p: p.symlink_to("/dev/zero"), "a device"),
    "dangling": (lambda p: p.symlink_to("/nonexistent"), "No such file"),
    "loop": (lambda p: p.symlink_to(p), "Too many levels"),
}


@pytest.mark.parametrize("name", KINDS)
def test_kind_of_file(site: Site, tmp_path: Path, name: str) -> None:
    """What is no file is refused at once: nothing blocks, nothing is read without end."""
    make, words = KINDS[name]
    path = tmp_path / "probes.json.gz"
    make(path)  # type: ignore[no-untyped-call]
    code, line = refuse(site, path)
    assert (code, words in line) == (NO_INPUT, True), line


@pytest.mark.parametrize("path", ["/dev/zero", "/proc/self/mem", "/", "x" * 5000, "bad\nname\x1b[31m"])
def test_names_that_are_no_probes_file(site: Site, path: str) -> None:
    """Devices, endless names and control characters: an error of one line."""
    assert refuse(site, path)[0] in (NO_INPUT, DAMAGED)


def test_file_that_the_user_cannot_read(site: Site) -> None:
    """The runtime opens the file with the user's rights, not with root's; a symbolic link to it changes nothing."""
    path = site.sign_syscalls(["read"], uid=65534)
    path.chmod(0o600)
    link = site.folder / "link-to-unreadable"
    link.symlink_to(path)
    for name in (path, link):
        code, line = refuse(site, name, user="nobody")
        assert (code, "Permission denied" in line) == (NO_INPUT, True), line
    path.unlink()
    link.unlink()


def test_link_to_a_good_file_is_followed(site: Site) -> None:
    """A symbolic link of the user's own works: what counts is the signature of what it points to."""
    link = site.folder / "link-to-good"
    link.symlink_to(site.sign_syscalls(["read"]))
    with site.run(link, "linked") as run:
        pass
    assert run.closing()["lost"] == 0


def test_changed_program_is_refused(site: Site, compiled: Callable[..., Path]) -> None:
    """A program that is not the one that was signed (its build id differs) is not probed, and the trace says why."""
    program = site.folder / "replaced"
    program.write_bytes(compiled("writer", "-Wl,--build-id").read_bytes())
    program.chmod(0o755)
    probes = site.sign([*syscall_probes(["read"]), *function_probes(program, ["main"])], [binary(program)])
    program.write_bytes(compiled("calls", "-Wl,--build-id").read_bytes())
    with site.run(probes, "replaced") as run:
        pass
    (record,) = (x["args"] for x in run.lines() if x["args"].get("name") == "run")
    assert (record["probes"], record["refused_count"]) == (1, 1)
    assert "has changed since it was signed" in record["refused"][0]


RUN_IDS = [
    "a/b",
    "../up",
    "a b",
    "x" * 300,
    "$(x)",
    "`x`",
    "",
    "-v",
    "--help",
    ".hidden",
    "..",
    "a\nb",
    "é",
    "a\x1b[0m",
    "a;b",
    "*",
    "a\\b",
    "%n",
]


@pytest.mark.parametrize("run_id", RUN_IDS, ids=[repr(r[:12]) for r in RUN_IDS])
def test_run_id(site: Site, probes: Path, run_id: str) -> None:
    """A run id becomes part of file names and units, so it is one plain word."""
    code, line = refuse(site, probes, run_id)
    assert code == USAGE, line


def test_not_root(site: Site, probes: Path) -> None:
    """Who is not root is told so, exit code 77."""
    command = [
        "setpriv",
        "--reuid",
        "nobody",
        "--clear-groups",
        BIN / "datacrumbs",
        "--config",
        site.config,
        probes,
        "x",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", timeout=20)
    assert done.returncode == REFUSED
    assert len(done.stderr.splitlines()) == 1
    assert "only root" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [((), USAGE), (("--nonsense",), USAGE), (("a", "b", "c"), USAGE), (("--user", "nobody-at-all", "a", "b"), USAGE),
     (("--config", "/nonexistent", "a", "b"), NO_INPUT)],
)  # fmt: skip
def test_command_line(arguments: tuple[str, ...], code: int) -> None:
    """A command line that makes no sense is answered in one line."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DATACRUMBS_")}
    done = subprocess.run([BIN / "datacrumbs", *arguments], capture_output=True, text=True, env=environment, timeout=20)
    assert (done.returncode, len(done.stderr.splitlines())) == (code, 1), done.stderr
    assert "Traceback" not in done.stderr
