"""The real signer on a real socket: who asks is what the kernel says, and nobody can hold it up."""

from __future__ import annotations

import json
import os
import socket
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from datacrumbs.configurator import protocol, signing
from datacrumbs.configurator.signer import server
from datacrumbs.configurator.signer.request import Limits
from datacrumbs.configurator.sources import binary
from datacrumbs.core import config, elf, envelope, keys, syscalls
from datacrumbs.core.errors import BusyError, DataCrumbsError, DataError, NoInputError, RefusedError, UnavailableError
from datacrumbs.core.keys import KeyRing
from datacrumbs.core.probes import Binary, Function, Probe, ProbeSet, Syscall

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="not root: run sudo make test")

NOBODY = 65534
ARCH = os.uname().machine
READ = Probe("read", "POSIX", "syscall", Syscall("read", 0 if ARCH == "x86_64" else 63), syscalls.capture("read"))
PROBES = ProbeSet(ARCH, (READ,))


def unseal(site: Any, raw: bytes, uid: int = 0) -> envelope.Sealed:
    return envelope.unseal(raw, KeyRing.load(site.keys_dir), uid=uid, now=time.time())


def with_function(file: Path, offset: int, **changes: Any) -> ProbeSet:
    named = replace(Binary(str(file), elf.read(file).build_id), **changes)
    return ProbeSet(ARCH, (Probe("f", "C", "uprobe", Function(0, offset, "f")),), (named,))


def ask(site: Any, request: bytes) -> bytes:
    """Sends raw bytes and returns all that comes back."""
    with site.connect() as peer:
        try:
            peer.sendall(request)
            peer.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has heard enough
        return b"".join(iter(lambda: peer.recv(65536), b""))


def frame(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def as_user(uid: int, action: Callable[[], None]) -> None:
    """Runs `action` in a child process that is another user; its assertions count."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            action()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


def test_the_first_start_makes_a_key_pair_that_this_machine_trusts(site: Any) -> None:
    site.start()
    assert stat.S_IMODE(site.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(site.key.parent.stat().st_mode) == 0o700
    result = unseal(site, signing.sign(PROBES, site.socket))
    assert (result.uid, result.user, result.host) == (0, "root", os.uname().nodename)
    assert result.probes == PROBES
    assert abs(result.issued - time.time()) < 60
    assert result.expires - result.issued == 30 * 86_400


def test_a_second_start_keeps_the_key_and_does_not_trust_it_anew(site: Any) -> None:
    site.start()
    before = site.key.read_bytes()
    site.stop()
    for path in site.keys_dir.iterdir():
        path.unlink()  # an administrator withdrew the trust
    site.start()
    assert site.key.read_bytes() == before
    assert not list(site.keys_dir.iterdir())


def test_identity_is_what_the_kernel_says(signer: Any) -> None:
    out = signer.folder / "out"
    out.mkdir()
    os.chown(out, NOBODY, NOBODY)
    as_user(NOBODY, lambda: void((out / "p").write_bytes(signing.sign(PROBES, signer.socket))))
    raw = (out / "p").read_bytes()
    assert unseal(signer, raw, NOBODY).uid == NOBODY
    with pytest.raises(RefusedError, match="not for uid 0"):
        unseal(signer, raw, 0)


def void(_: object) -> None:
    """Makes an expression of a statement."""


def test_a_uid_in_the_request_is_refused_not_believed(signer: Any) -> None:
    value = PROBES.to_json() | {"uid": 12345}
    reply = ask(signer, frame(json.dumps(value).encode()))
    assert b"uid is unknown" in reply


def test_files_are_opened_as_the_user_who_asks(signer: Any, build: Callable[..., Path]) -> None:
    file = build("int f(void) { return 1; }")
    offset = binary.read(str(file)).functions[0].offset
    asked = with_function(file, offset)
    file.chmod(0o700)
    assert unseal(signer, signing.sign(asked, signer.socket)).probes == asked

    def refused() -> None:
        with pytest.raises(NoInputError, match="Permission denied"):
            signing.sign(asked, signer.socket)

    as_user(NOBODY, refused)


def test_what_the_files_hold_is_checked(signer: Any, build: Callable[..., Path]) -> None:
    file = build("int f(void) { return 1; }", "-Wl,--build-id=0x1234")
    code = next(c for c in binary.read(str(file)).functions if c.names[0].symbol == "f")
    link = file.with_name("link.so")
    link.symlink_to(file)
    inner = file.parent / "inner"
    inner.symlink_to(file.parent)
    fifo = file.with_name("fifo")
    os.mkfifo(fifo)
    bad = file.with_name("bad.so")
    bad.write_bytes(file.read_bytes()[:100])
    good = with_function(file, code.offset)
    signing.sign(good, signer.socket)
    cases = [
        (with_function(file, code.offset, build_id="5678"), "is another file than"),
        (with_function(file, 0), "has no code at 0x0"),
        (with_function(file, 1 << 40), "has no code at"),
        (with_function(file, code.offset, path=str(link)), "is a symbolic link"),
        (with_function(file, code.offset, path=str(inner / file.name)), "is really"),
        (with_function(file, code.offset, path=str(fifo)), "is a FIFO"),
        (with_function(file, code.offset, path=str(file.parent)), "is a directory"),
        (with_function(file, code.offset, path=str(bad)), "not a valid ELF"),
        (with_function(file, code.offset, path="/nonexistent"), "No such file"),
        (with_function(file, code.offset, path="/dev/zero"), "is a device"),
    ]
    for asked, message in cases:
        with pytest.raises((DataError, NoInputError), match=message):
            signing.sign(asked, signer.socket)


def test_a_system_call_under_the_name_of_another_is_refused(signer: Any) -> None:
    execve = replace(READ, target=Syscall("read", 59))
    with pytest.raises(DataError, match="system call 59 is not read"):
        signing.sign(ProbeSet(ARCH, (execve,)), signer.socket)
    with pytest.raises(UnavailableError, match="system calls of vax are not known"):
        signing.sign(ProbeSet("vax", (READ,)), signer.socket)


def test_the_policy_is_read_anew_for_each_request(signer: Any) -> None:
    signing.sign(PROBES, signer.socket)
    signer.policy.write_text("default: {kernel: [write], lifetime: 1h}\n")
    with pytest.raises(RefusedError, match="rule 'default', does not allow the system call read"):
        signing.sign(PROBES, signer.socket)
    signer.policy.write_text("rules: [{users: [root], lifetime: 1h}]\n")
    result = unseal(signer, signing.sign(PROBES, signer.socket))
    assert result.expires - result.issued == 3_600
    signer.policy.write_text("rules: [{users: [root], lifetme: 1h}]\n")
    with pytest.raises(DataCrumbsError, match="unknown key 'lifetme'"):
        signing.sign(PROBES, signer.socket)
    signer.policy.chmod(0o666)
    with pytest.raises(DataCrumbsError, match="writable by others"):
        signing.sign(PROBES, signer.socket)


@pytest.mark.parametrize(
    ("request_bytes", "answer"),
    [
        (b"", b"went away"),
        (b"\0\0", b"went away"),
        (b"\0\0\0\0", b"message of 0 bytes"),
        (b"\xff\xff\xff\xff", b"message of 4294967295 bytes"),
        (struct.pack(">I", protocol.MAX_REQUEST + 1), b"are allowed"),
        (b"GET / HTTP/1.0\r\n\r\n", b"are allowed"),
        (struct.pack(">I", 100) + b"short", b"went away in mid-message"),
        (frame(b"\x1f\x8b\x08"), b"is not JSON"),
        (frame(b"\xff\xfe"), b"is not JSON"),
        (frame(b"null"), b"is not an object"),
        (frame(b"[" * 100_000), b"nested deeper"),
        (frame(b"[" + b"[]," * 600_000 + b"[]]"), b"values"),
        (frame(b'{"version": 1' + b"0" * 5_000 + b"}"), b"JSON|version"),
        (frame(b'{"version":1,"version":1}'), b"there twice"),
        (frame(json.dumps(PROBES.to_json() | {"probes": []}).encode()), b"names no function"),
        (frame(json.dumps(PROBES.to_json() | {"version": 99}).encode()), b"format version 99"),
        (frame(json.dumps(PROBES.to_json() | {"excluded": ["\ud800"]}).encode()), b"is not JSON"),
    ],
    ids=[
        "nothing", "half-length", "zero", "huge", "too-large", "http", "cut-off", "gzip", "not-text", "null", "deep",
        "many", "digits", "twice", "empty-selection", "version", "surrogate",
    ],
)  # fmt: skip
def test_malformed_requests_get_a_reason(signer: Any, request_bytes: bytes, answer: bytes) -> None:
    reply = ask(signer, request_bytes)
    assert reply[4:5] == protocol.FAILED
    assert any(part in reply for part in answer.split(b"|")), reply
    assert signing.sign(PROBES, signer.socket), "and the signer goes on"


def test_a_log_line_cannot_be_forged(signer: Any) -> None:
    value = PROBES.to_json() | {"a\nroot (uid 0): signed\x1b[2J": 1}
    ask(signer, frame(json.dumps(value).encode()))
    log = signer.stop()
    assert len(log.splitlines()) == 1
    assert "\x1b" not in log


def patient(signer: Any, probes: ProbeSet) -> str:
    """Has probes signed as soon as the signer has a place for it; their digest."""
    while True:
        try:
            return unseal(signer, signing.sign(probes, signer.socket)).digest
        except BusyError:
            time.sleep(0.05)


def test_slow_clients_do_not_hold_up_others(signer: Any) -> None:
    idle = [signer.connect() for _ in range(server.MAX_CLIENTS_OF_ONE_USER - 1)]
    for number, peer in enumerate(idle):
        peer.sendall(b"\0\0\1\0"[: number % 5])
    before = time.monotonic()
    signing.sign(PROBES, signer.socket)
    assert time.monotonic() - before < Limits().request
    for peer in idle:
        peer.close()


def test_one_user_cannot_take_all_places(signer: Any) -> None:
    idle = [signer.connect() for _ in range(server.MAX_CLIENTS_OF_ONE_USER)]
    time.sleep(0.5)
    with pytest.raises(BusyError, match="too many requests"):
        signing.sign(PROBES, signer.socket)
    as_user(NOBODY, lambda: void(signing.sign(PROBES, signer.socket)))
    for peer in idle:
        peer.close()
    patient(signer, PROBES)


def test_a_client_that_never_ends_is_ended(site: Any) -> None:
    """With short limits, in this process: the command's own are too long for a test."""
    site.start()
    site.stop()
    settings = config.load(site.config)
    pid = os.fork()
    if pid == 0:
        with server.listen(site.socket) as listener:
            server.serve(listener, settings, Limits(request=1.0, reply=1.0, total=3.0))
        os._exit(0)
    try:
        while not site.socket.exists():
            time.sleep(0.02)
        before = time.monotonic()
        with site.connect() as peer:
            for number in range(100):
                try:
                    peer.send(b"\0\0\1\0"[number : number + 1] or b"[")
                except OSError:
                    break
                time.sleep(0.1)
            assert b"too slow" in peer.recv(65536)
        assert time.monotonic() - before < 9
    finally:
        os.kill(pid, 15)
        assert os.waitpid(pid, 0)[1] == 0


def test_many_clients_at_once_all_get_theirs(signer: Any) -> None:
    with ThreadPoolExecutor(16) as pool:
        digests = list(pool.map(lambda n: patient(signer, replace(PROBES, min_duration_ns=n)), range(48)))
    assert len(set(digests)) == 48


def test_a_large_request_within_the_limits_is_signed(signer: Any) -> None:
    many = ProbeSet(ARCH, tuple(replace(READ, name=f"read{i}") for i in range(20_000)))
    assert len(unseal(signer, signing.sign(many, signer.socket)).probes.probes) == 20_000


def test_a_second_signer_on_one_socket_is_refused_and_a_stale_socket_is_not(signer: Any) -> None:
    second = signer.sign()
    assert second.returncode == BusyError.exit_code
    assert "another signer listens" in second.stderr
    signing.sign(PROBES, signer.socket)
    process = signer.processes.pop()
    process.kill()
    process.communicate()
    assert signer.socket.exists()
    with pytest.raises(UnavailableError, match="no signer answers"):
        signing.sign(PROBES, signer.socket)
    signer.start()
    signing.sign(PROBES, signer.socket)


def test_stopping_finishes_what_has_begun_and_removes_the_socket(signer: Any) -> None:
    with signer.connect() as peer:
        body = json.dumps(PROBES.to_json()).encode()
        peer.sendall(frame(body)[:20])
        time.sleep(0.3)
        signer.processes[-1].terminate()
        time.sleep(0.3)
        peer.sendall(frame(body)[20:])
        peer.shutdown(socket.SHUT_WR)
        assert peer.recv(5)[4:] == protocol.SIGNED
    process = signer.processes.pop()
    assert "signed 1 functions" in process.communicate(timeout=60)[1]
    assert process.returncode == 0
    assert not signer.socket.exists()


def test_systemd_passes_the_socket_and_is_told_when_ready(site: Any) -> None:
    """Socket activation as sd_listen_fds(3) describes it: descriptor 3, LISTEN_PID, LISTEN_FDS."""
    site.socket.parent.mkdir()
    notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notices.bind(str(site.folder / "notify"))
    notices.settimeout(30)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(site.socket))
        listener.listen()
        start = (
            "import os, sys; os.dup2(int(sys.argv.pop(1)), 3); os.environ['LISTEN_PID'] = str(os.getpid());"
            "from datacrumbs.configurator.signer.command import main; raise SystemExit(main())"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", start, str(listener.fileno()), "--config", str(site.config)],
            env=os.environ | {"LISTEN_FDS": "1", "NOTIFY_SOCKET": str(site.folder / "notify")},
            pass_fds=[listener.fileno()],
            stderr=subprocess.PIPE,
            text=True,
        )
    site.processes.append(process)
    assert notices.recv(100) == b"READY=1"
    signing.sign(PROBES, site.socket)
    site.stop()
    assert site.socket.exists(), "it belongs to systemd"
    notices.close()


def test_a_public_key_goes_to_other_machines(signer: Any) -> None:
    pem = signer.sign("--show-key")
    assert pem.returncode == 0
    file = signer.folder / "login1.pub"
    file.write_text(pem.stdout)
    for path in signer.keys_dir.iterdir():
        path.unlink()
    raw = signing.sign(PROBES, signer.socket)
    with pytest.raises(RefusedError, match="does not trust"):
        unseal(signer, raw)
    assert signer.sign("--trust", str(file)).returncode == 0
    unseal(signer, raw)


@pytest.mark.parametrize(
    ("prepare", "options", "code", "message"),
    [
        (None, ["--show-key"], 66, "there is no signing key"),
        (None, ["--trust", "/dev/null"], 66, "is a device"),
        (None, ["--trust", "/etc/passwd"], 65, "is not a public key"),
        (None, ["--trust", "a", "--show-key"], 64, "not allowed with"),
        (None, ["--socket", "/proc/x/y"], 73, "cannot"),
        (None, ["--config", "/nonexistent"], 66, "No such file"),
        ("policy", [], 78, "unknown key"),
        ("key-mode", [], 78, "is open to others"),
        ("key-text", [], 78, "is not a signing key"),
        ("keys-dir", [], 78, "is writable by others"),
        ("not-a-socket", [], 73, "something else is there"),
        ("config", [], 78, "a whole number"),
    ],
)
def test_each_wrong_start_has_its_message_and_code(
    site: Any, prepare: str | None, options: list[str], code: int, message: str
) -> None:
    site.key.parent.mkdir(mode=0o700)
    match prepare:
        case "policy":
            site.policy.write_text("nonsense: 1\n")
        case "key-mode":
            keys.create_signing_key(site.key)
            site.key.chmod(0o644)
        case "key-text":
            site.key.write_text("nonsense")
            site.key.chmod(0o600)
        case "keys-dir":
            site.keys_dir.mkdir()
            site.keys_dir.chmod(0o777)
        case "not-a-socket":
            site.socket.parent.mkdir()
            site.socket.write_text("precious")
        case "config":
            site.config.write_text("ring_mib: many\n")
    result = site.sign(*options)
    errors = [line for line in result.stderr.splitlines() if "error:" in line]
    assert (result.returncode, len(errors)) == (code, 1), result.stderr
    assert message in errors[0]
    assert "Traceback" not in result.stderr


def test_only_root_may_sign(site: Any) -> None:
    result = subprocess.run(
        [sys.executable, "-c", "from datacrumbs.configurator.signer.command import main; raise SystemExit(main())"],
        user=NOBODY,
        capture_output=True,
        text=True,
        check=False,
        cwd=site.folder,
    )
    assert result.returncode == 77
    assert "run it with sudo" in result.stderr
