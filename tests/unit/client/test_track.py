"""datacrumbs_track and datacrumbs_untrack, on copies of real programs."""

from __future__ import annotations

import json
import os
import shutil
import stat
import struct
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest
from datacrumbs.client import elf
from datacrumbs.client.patch import ours
from datacrumbs.client.record import backup_of, record_of
from datacrumbs.client.track import track
from datacrumbs.core.errors import OutputError

START = 1
NOBODY = 65534


@pytest.fixture
def command(environment):
    """Runs `datacrumbs_track` or `datacrumbs_untrack` on a program."""

    def run(verb, program, *more, **options):
        path = Path(sysconfig.get_path("scripts"), f"datacrumbs_{verb}")
        return subprocess.run(
            [path, "--executable", program, *more],
            env=environment(), capture_output=True, text=True, check=False, timeout=60, **options,
        )  # fmt: skip

    return run


@pytest.fixture
def works(command):
    """As `command`, and it must work: returns what it said."""

    def run(verb, program, *more):
        done = command(verb, program, *more)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run


@pytest.fixture
def refuses(command):
    """As `command`, and it must refuse in one line and leave the folder as it was."""

    def run(verb, program, code, says, *more):
        before = snapshot(Path(program).parent)
        done = command(verb, program, *more)
        assert (done.returncode, done.stdout) == (code, "")
        assert says in done.stderr and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
        assert snapshot(Path(program).parent) == before

    return run


@pytest.fixture
def program(tmp_path):
    """A copy of /bin/ls of the test's own, with unusual mode, times, owner and attributes."""
    path = Path(shutil.copy("/bin/ls", tmp_path / "program"))
    os.setxattr(path, "user.note", b"kept")
    if os.geteuid() == 0:
        os.chown(path, NOBODY, 12345)
    path.chmod(0o751)
    os.utime(path, ns=(0, 2_000_000_009))
    return path


def properties(path):
    """All of a file that an edit must keep."""
    status = path.stat()
    attributes = {name: os.getxattr(path, name) for name in os.listxattr(path)}
    return status.st_uid, status.st_gid, stat.filemode(status.st_mode), status.st_mtime_ns, attributes


def snapshot(folder):
    """What a folder holds: names and contents, times of change included."""
    entries = (p for p in sorted(folder.iterdir()) if p.is_file() and not p.is_symlink())
    return {p.name: (p.read_bytes(), p.lstat().st_ino, p.lstat().st_mtime_ns) for p in entries}


def image(path):
    with path.open("rb") as file:
        return elf.read(file, path)


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_a_tracked_program_tags_itself_and_else_behaves_the_same(program, works, strace, library):
    plain = subprocess.run([program, "-d", "/"], capture_output=True, check=True).stdout
    assert "is tracked: it loads" in works("track", program)
    seen = strace(program, "-d", "/")
    assert seen.markers == [(START, 0)] and (seen.out.encode(), seen.err) == (plain, "")
    assert image(program).needed == (str(library), *image(Path("/bin/ls")).needed)


def test_untrack_restores_byte_for_byte_and_leaves_nothing(program, works):
    content, before = program.read_bytes(), properties(program)
    works("track", program)
    assert program.read_bytes() != content
    assert "restored, byte for byte" in works("untrack", program)
    assert program.read_bytes() == content and properties(program) == before
    assert names(program.parent) == ["program"]


def test_mode_owner_times_and_attributes_are_kept(program, works):
    before = properties(program)
    works("track", program)
    assert properties(program) == before == properties(backup_of(program))


def test_access_control_lists_are_kept(program, works):
    acl = struct.pack("<I", 2) + b"".join(
        struct.pack("<HHi", tag, rights, who)
        for tag, rights, who in [(1, 7, -1), (2, 5, 4711), (4, 5, -1), (16, 5, -1), (32, 1, -1)]
    )
    try:
        os.setxattr(program, "system.posix_acl_access", acl)
    except OSError:
        pytest.skip("this file system has no ACLs")
    before = properties(program)
    works("track", program)
    assert properties(program) == before


@pytest.mark.parametrize(
    "flags", [["-no-pie"], ["-pie"], ["-Wl,-z,now", "-Wl,-rpath,/x", "-s"], ["-Wl,-z,noseparate-code"]]
)
def test_programs_of_all_makes_are_tracked_and_restored(compile_c, tmp_path, works, strace, flags):
    source = tmp_path / "main.c"
    source.write_text("int main(void) { return 7; }\n")
    path = compile_c("made", source, *flags)
    content = path.read_bytes()
    works("track", path)
    seen = strace(path)
    assert (seen.code, seen.markers) == (7, [(START, 0)])
    works("untrack", path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("name", [sys.executable, "gcc", "bash", "git"])
def test_large_programs_still_run(works, tmp_path, strace, name):
    path = shutil.copy(Path(shutil.which(name)).resolve(), tmp_path / "large")
    works("track", path)
    seen = strace(path, "--version")
    assert seen.code == 0 and seen.markers[0] == (START, 0)


def test_both_are_idempotent(program, works):
    assert "is not tracked" in works("untrack", program)
    works("track", program)
    before = snapshot(program.parent)
    assert "is tracked already" in works("track", program)
    assert snapshot(program.parent) == before
    works("untrack", program)
    assert "is not tracked" in works("untrack", program)


def test_another_library_may_be_named(program, works, library, tmp_path_factory):
    other = Path(shutil.copy(library, tmp_path_factory.mktemp("other") / library.name))
    assert str(other) in works("track", program, "--library", other)
    assert image(program).needed[0] == str(other)
    works("untrack", program)


def test_a_link_is_followed_and_told(program, works, tmp_path):
    (tmp_path / "link").symlink_to(program)
    said = works("track", tmp_path / "link")
    assert f"is a link to {program}\n" in said and (tmp_path / "link").is_symlink()
    assert ours(image(program))
    works("untrack", tmp_path / "link")
    assert not ours(image(program))


def test_a_program_that_changed_since_loses_only_the_library(program, works, library):
    works("track", program)
    original = backup_of(program).read_bytes()
    with program.open("r+b") as file:  # a byte in the ELF header's padding, as a site's own stamp
        file.seek(9)
        file.write(b"\x05")
    said = works("untrack", program)
    assert "not what it was byte for byte: it or its original changed since" in said
    assert not ours(image(program)) and program.read_bytes()[9] == 5
    assert backup_of(program).read_bytes() == original and backup_of(program).name in said
    assert subprocess.run([program, "-d", "/"], capture_output=True, check=True).stdout == b"/\n"


@pytest.mark.parametrize("lost", ["backup", "record", "both", "broken backup", "broken record"])
def test_without_backup_or_record_it_loses_only_the_library(program, works, lost):
    works("track", program)
    if lost in {"backup", "both"}:
        backup_of(program).unlink()
    if lost in {"record", "both"}:
        record_of(program).unlink()
    if lost == "broken backup":
        backup_of(program).write_bytes(b"not the original")
    if lost == "broken record":
        record_of(program).write_text('{"original": 1}')
    assert "not what it was byte for byte" in works("untrack", program)
    assert not ours(image(program))


def test_a_program_that_was_made_anew_can_be_tracked_again(program, works):
    works("track", program)
    shutil.copy("/bin/cat", program)
    assert "from before it was made anew" in works("untrack", program)
    assert "was made anew" in works("track", program)
    assert backup_of(program).read_bytes() == Path("/bin/cat").read_bytes()
    works("untrack", program)
    assert program.read_bytes() == Path("/bin/cat").read_bytes()


def test_a_file_in_the_place_of_the_backup_is_never_lost(program, refuses):
    backup_of(program).write_text("precious")
    refuses("track", program, 77, "is in the way")
    backup_of(program).unlink()
    backup_of(program).symlink_to("/etc/passwd")
    refuses("track", program, 77, "is in the way")


def test_an_interrupted_attempt_is_carried_on(program, works):
    """The backup is there, the program is still the original."""
    content = program.read_bytes()
    backup_of(program).write_bytes(content)
    works("track", program)
    works("untrack", program)
    assert program.read_bytes() == content


def test_the_record_says_what_was_done(program, works, library):
    works("track", program)
    record = json.loads(record_of(program).read_text())
    digest = subprocess.run(["sha256sum", program], capture_output=True, text=True, check=True).stdout.split()[0]
    assert record["tracked"] == digest and record["library"] == str(library)


# What is refused


def make_setuid(path):
    path.chmod(0o4755)


def make_setgid(path):
    path.chmod(0o2755)


def make_capable(path):
    os.setxattr(path, "security.capability", struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0))


def make_linked(path):
    os.link(path, path.with_name("other"))


def append(data):
    def make(path):
        with path.open("ab") as file:
            file.write(data)

    return make


def replace(data):
    return lambda path: path.write_bytes(data)


def patch_bytes(offset, data):
    def make(path):
        content = bytearray(path.read_bytes())
        content[offset : offset + len(data)] = data
        path.write_bytes(content)

    return make


def make_signed_section(path):
    (path.parent / "signature").write_bytes(b"x" * 64)
    subprocess.run(["objcopy", f"--add-section=.sig={path.parent / 'signature'}", path], check=True)


SIGNATURE = b"x" * 256 + bytes(8) + struct.pack(">I", 256) + b"~Module signature appended~\n"
REFUSALS = {
    "setuid": (make_setuid, 77, "is setuid or setgid"),
    "setgid": (make_setgid, 77, "is setuid or setgid"),
    "file capabilities": (make_capable, 77, "has file capabilities"),
    "hard links": (make_linked, 77, "has 2 names"),
    "appended signature": (append(SIGNATURE), 77, "bytes appended"),
    "appended archive": (append(b"PK\x03\x04" * 100), 77, "bytes appended"),
    "signature section": (make_signed_section, 77, "is signed (section .sig)"),
    "script": (replace(b"#!/bin/sh\ntrue\n"), 65, "is a script"),
    "text": (replace(b"hello\n"), 65, "is no ELF file"),
    "empty": (replace(b""), 65, "is no ELF file"),
    "magic only": (replace(b"\x7fELF"), 65, "is no sound ELF file"),
    "header only": (lambda path: path.write_bytes(path.read_bytes()[:64]), 65, "is no sound ELF file"),
    "cut in half": (lambda path: path.write_bytes(path.read_bytes()[:70000]), 65, "is no sound ELF file"),
    "other architecture": (patch_bytes(18, b"\xb7\x00"), 65, "is for another machine (AArch64, 64 bit"),
    "other byte order": (patch_bytes(5, b"\x02"), 65, ""),
    "tables out of the file": (patch_bytes(40, b"\xff" * 6), 65, "is no sound ELF file"),
    "section count of a liar": (patch_bytes(60, b"\xff\xff"), 65, "is no sound ELF file"),
}


@pytest.mark.parametrize(("make", "code", "says"), REFUSALS.values(), ids=REFUSALS)
def test_it_refuses_with_the_reason_and_changes_nothing(program, refuses, make, code, says):
    try:
        make(program)
    except PermissionError:
        pytest.skip("not allowed to make such a file here")
    refuses("track", program, code, says)


def test_a_file_that_ima_signed_is_refused(program, refuses):
    try:
        os.setxattr(program, "security.ima", b"\x03\x02" + bytes(16))
    except OSError:
        pytest.skip("not allowed to set security.ima here")
    refuses("track", program, 77, "is signed (IMA or EVM)")


@pytest.mark.parametrize("flags", [["-static"], ["-static-pie"], ["-shared", "-fPIC"]])
def test_static_programs_and_libraries_are_refused(compile_c, tmp_path, refuses, flags):
    source = tmp_path / "main.c"
    source.write_text("int main(void) { return 7; }\n")
    refuses("track", compile_c("static", source, *flags), 65, "no dynamic loader starts it; use datacrumbs_wrap")


@pytest.mark.parametrize("verb", ["track", "untrack"])
def test_a_running_program_is_refused(verb, works, refuses, tmp_path):
    path = shutil.copy("/bin/sleep", tmp_path / "sleep")
    if verb == "untrack":
        works("track", path)
    with subprocess.Popen([path, "60"]) as child:
        refuses(verb, path, 75, f"is running as process {child.pid}")
        child.kill()


def test_what_is_no_file_is_refused(tmp_path, refuses):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    for name, says in [("missing", "No such file"), ("fifo", "a FIFO"), ("loop", "cannot read"), (".", "a directory")]:
        refuses("track", tmp_path / name, 66, says)


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("/nowhere/libdatacrumbs_client.so", 66, "No such file"),
        ("libother.so", 64, "must name a libdatacrumbs_client.so"),
        ("$ORIGIN/libdatacrumbs_client.so", 64, "hold no '$'"),
    ],
)
def test_a_wrong_library_is_refused(program, refuses, name, code, says):
    refuses("track", program, code, says, "--library", name)


def test_a_library_for_another_machine_is_refused(program, refuses, library, tmp_path_factory):
    other = Path(shutil.copy(library, tmp_path_factory.mktemp("lib") / library.name))
    patch_bytes(18, b"\xb7\x00")(other)
    refuses("track", program, 65, "is for another machine", "--library", other)


def test_a_folder_that_cannot_be_written_is_told(library):
    """As nobody, since root may write everywhere."""
    if os.geteuid() != 0:
        pytest.skip("not root")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        program = Path(shutil.copy("/bin/ls", folder))
        before = snapshot(program.parent)
        child = os.fork()
        if child == 0:
            os._exit(attempt_as_nobody(program, library))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert snapshot(program.parent) == before


def attempt_as_nobody(program, library):
    """0 when the attempt fails as it should."""
    try:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        track(program, library)
    except OutputError as error:
        return 0 if "Permission denied" in error.message else 1
    except BaseException:
        return 2
    return 3


@pytest.mark.parametrize("verb", ["track", "untrack"])
def test_usage_and_help(command, verb, environment):
    path = Path(sysconfig.get_path("scripts"), f"datacrumbs_{verb}")
    done = subprocess.run([path], env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 64 and "--executable" in done.stderr and done.stderr.count("\n") == 1
    done = subprocess.run([path, "--help"], env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "example:\n  datacrumbs_" in done.stdout
