"""datacrumbs_wrap: the command runs as it would without it, and is tagged before it begins."""

from __future__ import annotations

import os
import random
import shutil
import stat
import subprocess
import time
from pathlib import Path

import pytest

NATIVE = Path(__file__).resolve().parents[3] / "client" / "native"
START = 1
NOBODY_LISTENS = "datacrumbs_wrap: no runtime of yours is ready"


@pytest.fixture(scope="module", params=["installed", "sanitized"])
def program(request, compile_c, wrap, library):
    """datacrumbs_wrap as it is installed, and once more under AddressSanitizer and UBSan."""
    if request.param == "installed":
        return wrap
    sources = [NATIVE / f"{name}.c" for name in ("wrap", "preload", "ready", "search")]
    define = f'-DDC_LIBRARY_DIR="{library.parent}"'
    return compile_c("datacrumbs_wrap", *sources, define, "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@pytest.fixture
def run(program, environment):
    """Runs datacrumbs_wrap with some arguments and variables of the environment."""

    def run_(*arguments, **variables):
        command = [program, *arguments]
        return subprocess.run(
            command, env=environment(**variables), capture_output=True, text=True, timeout=30, check=False
        )

    return run_


@pytest.fixture
def ready(tmp_path):
    """Writes a ready file, as a runtime does, into a run directory of the test's own; returns that directory."""
    run_dir = tmp_path / "run"
    run_dir.mkdir()

    def write(text=None, *, name="datacrumbs-r1.ready", pid=None, uid=None, run_id="r1"):
        if text is None:
            values = {"pid": pid or os.getpid(), "uid": os.getuid() if uid is None else uid, "run_id": run_id}
            text = "".join(f"{key}={value}\n" for key, value in values.items()) + "trace=/tmp/t.pfw.gz\n"
        content = text if isinstance(text, bytes) else text.encode()
        (run_dir / name).write_bytes(content)
        return str(run_dir)

    write.folder = str(run_dir)
    return write


def executable(path, content="#!/bin/sh\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 64, "no command"),
        (["--run-id", "r"], 64, "no command"),
        (["--frobnicate", "true"], 64, "unknown or ambiguous option --frobnicate"),
        (["-x", "true"], 64, "unknown or ambiguous option -x"),
        (["--wait=soon", "true"], 64, "not soon"),
        (["--wait=-1", "true"], 64, "not -1"),
        (["--wait=nan", "true"], 64, "not nan"),
        (["--wait=", "true"], 64, "number of seconds"),
        (["--run-id"], 64, "value is missing"),
        (["--run-id", "", "true"], 64, "not nothing"),
        (["--run-id", "../x", "true"], 64, "not ../x"),
        (["--run-id", "x" * 129, "true"], 64, "1 to 128 letters"),
        (["no-such-command"], 127, "no-such-command: not found"),
        ([""], 127, ": not found"),
        (["/no/such/command"], 127, "not found"),
        (["/etc/passwd/x"], 127, "not found"),
        (["/etc/passwd"], 126, "Permission denied"),
        (["/tmp"], 126, "Permission denied"),
        (["x" * 5000], 127, "not found"),
        (["/" + "x" * 5000], 126, "File name too long"),
    ],
)
def test_mistakes_have_one_line_and_their_exit_code(run, arguments, code, says):
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr and done.stderr.count("\n") == 1
    assert done.stderr.startswith("datacrumbs_wrap: error: ") and done.stderr.endswith(" [user]\n")


def test_help_shows_an_example(run):
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "example:\n  datacrumbs_wrap" in done.stdout


def test_it_becomes_the_command_with_its_arguments_and_exit_code(run):
    done = run("--quiet", "sh", "-c", 'echo "$0|$1"; exit 42', "a  b", "--wait")
    assert (done.returncode, done.stdout, done.stderr) == (42, "a  b|--wait\n", "")


def test_the_process_stays_the_same(program, environment):
    child = subprocess.Popen([program, "--quiet", "sh", "-c", "echo $$"], env=environment(), stdout=subprocess.PIPE)
    assert int(child.communicate()[0]) == child.pid


def test_it_tags_itself_last_and_tries_no_wrong_path(wrap, strace, tmp_path):
    """The trace of a wrapped command begins with the one exec that works."""
    here = executable(tmp_path / "c" / "tool")
    path = ":".join(map(str, [tmp_path / "a", tmp_path / "b", tmp_path / "c", tmp_path / "d"]))
    seen = strace(wrap, "tool", PATH=path)
    first_marker = next(i for i, (_, call) in enumerate(seen.calls) if call.startswith("prctl"))
    assert seen.calls[first_marker + 1][1].startswith(f'execve("{here}", ["tool"]')
    assert all(call.endswith("= 0") for call in seen.executed) and len(seen.executed) == 2


@pytest.mark.parametrize(
    ("arguments", "variables"), [(["--run-id", "my.run"], {}), ([], {"DATACRUMBS_RUN_ID": "my.run"})]
)
def test_the_run_id_goes_into_tag_and_environment(wrap, strace, token_of, arguments, variables):
    seen = strace(wrap, *arguments, "--quiet", "env", **variables)
    assert seen.markers == [(START, token_of("my.run"))] * 2, "one of wrap, one of the library"
    assert "DATACRUMBS_RUN_ID=my.run\n" in seen.out


@pytest.mark.parametrize("flags", [["-static"], ["-static-pie"]])
def test_static_programs_are_tagged_too(wrap, strace, compile_c, tmp_path, flags):
    source = tmp_path / "main.c"
    source.write_text("int main(void) { return 7; }\n")
    seen = strace(wrap, "--quiet", compile_c("static", source, *flags))
    assert (seen.code, seen.markers) == (7, [(START, 0)])


def test_disable_runs_the_command_untouched(wrap, strace):
    seen = strace(wrap, "env", DATACRUMBS_DISABLE="1")
    assert (seen.markers, seen.err) == ([], "") and "LD_PRELOAD" not in seen.out


# PATH and execution, as execvp(3) has them


def test_path_order_and_what_cannot_be_run(run, tmp_path):
    (tmp_path / "folder" / "tool").mkdir(parents=True)
    plain = executable(tmp_path / "plain" / "tool")
    plain.chmod(0o644)
    good = executable(tmp_path / "good" / "tool", "#!/bin/sh\necho good\n")
    only_bad = f"{tmp_path / 'folder'}:{plain.parent}:{tmp_path / 'missing'}"
    assert run("--quiet", "tool", PATH=f"{only_bad}:{good.parent}").stdout == "good\n"
    assert run("--quiet", "tool", PATH=only_bad).returncode == 126
    assert run("--quiet", "tool", PATH=str(tmp_path / "missing")).returncode == 127


@pytest.mark.parametrize("path", ["", ":/nowhere", "/nowhere:", "/nowhere::/nowhere"])
def test_an_empty_entry_of_path_is_the_working_directory(program, environment, tmp_path, path):
    executable(tmp_path / "tool", "#!/bin/sh\necho here\n")
    done = subprocess.run(
        [program, "--quiet", "tool"], cwd=tmp_path, env=environment(PATH=path), capture_output=True, check=False
    )
    assert done.stdout == b"here\n"


def test_without_path_the_system_folders_are_searched(program, environment):
    without = {name: value for name, value in environment().items() if name != "PATH"}
    assert subprocess.run([program, "--quiet", "true"], env=without, check=False).returncode == 0


def test_a_script_without_interpreter_line_is_the_shells(run, tmp_path):
    script = executable(tmp_path / "script", 'echo "$1-$2"\n')
    assert run("--quiet", str(script), "a b", "c").stdout == "a b-c\n"


def test_a_program_that_the_kernel_refuses(run, tmp_path):
    assert run("--quiet", executable(tmp_path / "lost", "#!/no/such/interpreter\n")).returncode == 127
    broken = executable(tmp_path / "broken")
    broken.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(200))
    assert run("--quiet", broken).returncode in {126, 127}


# LD_PRELOAD


def preload_of(done):
    return [line.partition("=")[2] for line in done.stdout.splitlines() if line.startswith("LD_PRELOAD=")]


@pytest.fixture
def other_library(compile_c, tmp_path):
    source = tmp_path / "other.c"
    source.write_text("extern int nothing; int nothing;\n")
    return str(compile_c("other.so", source, "-shared", "-fPIC"))


def test_the_users_own_preload_stays_and_comes_first(wrap, environment, other_library, library):
    done = subprocess.run(
        [wrap, "--quiet", "env"], env=environment(LD_PRELOAD=other_library), capture_output=True, text=True, check=True
    )
    assert preload_of(done) == [f"{other_library}:{library}"]


@pytest.mark.parametrize("form", ["{own}", "{own}:{other}", "{other} {own}", ":{own}:"])
def test_the_library_is_preloaded_once(wrap, environment, other_library, library, form):
    given = form.format(own=library, other=other_library)
    done = subprocess.run(
        [wrap, "--quiet", wrap, "--quiet", "env"],
        env=environment(LD_PRELOAD=given), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert preload_of(done) == [given]


def test_another_library_with_a_longer_name_is_not_ours(wrap, environment, other_library, library):
    other = shutil.copy(other_library, Path(other_library).with_name("mylibdatacrumbs_client.so"))
    done = subprocess.run(
        [wrap, "--quiet", "env"], env=environment(LD_PRELOAD=str(other)), capture_output=True, text=True, check=True
    )
    assert preload_of(done) == [f"{other}:{library}"]


@pytest.mark.parametrize(
    "place", ["bin", "lib", "lib64", "lib/python{v}/site-packages/datacrumbs/client"], ids=lambda p: p.split("/")[-1]
)
def test_the_library_is_found_beside_the_real_program(wrap, environment, library, tmp_path, place):
    """Also when it is called through a symbolic link from elsewhere, as from /usr/local/bin."""
    version = library.parent.parents[2].name.removeprefix("python")
    folder = tmp_path / "install" / place.format(v=version)
    folder.mkdir(parents=True)
    (tmp_path / "install" / "bin").mkdir(exist_ok=True)
    shutil.copy(wrap, tmp_path / "install" / "bin")
    copy = shutil.copy(library, folder)
    (tmp_path / "link").symlink_to(tmp_path / "install" / "bin" / "datacrumbs_wrap")
    done = subprocess.run(
        [tmp_path / "link", "--quiet", "env"], env=environment(), capture_output=True, text=True, check=True
    )
    assert preload_of(done) == [str(copy)]


@pytest.fixture
def lonely(compile_c, tmp_path):
    """A datacrumbs_wrap that was built for no place in particular, in a folder without the library."""
    return compile_c("datacrumbs_wrap", *(NATIVE / f"{name}.c" for name in ("wrap", "preload", "ready", "search")))


def test_without_the_library_it_traces_all_the_same(lonely, strace, ready):
    seen = strace(lonely, "true", DATACRUMBS_RUN_DIR=ready())
    assert (seen.code, seen.markers) == (0, [(START, 0)])
    assert seen.err.count("\n") == 1 and "libdatacrumbs_client.so is not found" in seen.err
    assert strace(lonely, "--quiet", "true").err == ""


def test_a_library_that_ld_preload_cannot_name_is_told(lonely, library, environment, ready, tmp_path):
    folder = tmp_path / "with space"
    folder.mkdir()
    shutil.copy(library, folder)
    copy = shutil.copy(lonely, folder)
    done = subprocess.run(
        [copy, "env"], env=environment(DATACRUMBS_RUN_DIR=ready()), capture_output=True, text=True, check=True
    )
    assert "cannot be preloaded" in done.stderr and done.stderr.count("\n") == 1 and preload_of(done) == []


# Whether somebody listens


def test_it_says_once_when_nobody_listens_and_runs_the_command(run, ready):
    done = run("echo", "ran", DATACRUMBS_RUN_DIR=ready.folder)
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert done.stderr.startswith(NOBODY_LISTENS) and done.stderr.count("\n") == 1
    assert run("--quiet", "true", DATACRUMBS_RUN_DIR="/no/such/folder").stderr == ""


@pytest.mark.parametrize(
    ("arguments", "listens"),
    [([], True), (["--run-id", "r1"], True), (["--run-id", "r2"], False), (["--run-id", "r"], False)],
)
def test_it_is_silent_when_the_wanted_runtime_is_ready(run, ready, arguments, listens):
    done = run(*arguments, "true", DATACRUMBS_RUN_DIR=ready())
    assert (done.stderr == "") is listens


def test_a_runtime_of_root_is_alive_for_its_user(wrap, environment, ready, tmp_path):
    """kill(2) answers EPERM then; the user must not be told that nobody listens."""
    if os.getuid() != 0:
        pytest.skip("not root")
    for folder in (Path(ready.folder), *Path(ready.folder).parents):
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | 0o055)
    program = Path(shutil.copy(wrap, ready.folder))
    done = subprocess.run(
        [program, "--run-id", "r1", "true"], user=65534,
        env=environment(DATACRUMBS_RUN_DIR=ready(uid=65534, pid=1), LD_PRELOAD="libdatacrumbs_client.so"),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert NOBODY_LISTENS not in done.stderr


HEAD = f"uid={os.getuid()}\nrun_id=r1\n"
GOOD = f"pid={os.getpid()}\n{HEAD}"
HOSTILE = {
    "empty": "",
    "other user": f"pid={os.getpid()}\nuid={os.getuid() + 1}\nrun_id=r1\n",
    "dead": f"pid=2147483647\n{HEAD}",
    "no pid": HEAD,
    "pid 0, our group": f"pid=0\n{HEAD}",
    "pid -1, everybody": f"pid=-1\n{HEAD}",
    "pid beyond int": f"pid={2**32 + 1}\n{HEAD}",
    "pid beyond long": f"pid={'9' * 400}\n{HEAD}",
    "pid with sign": f"pid=+{os.getpid()}\n{HEAD}",
    "pid with zero": f"pid=0{os.getpid()}\n{HEAD}",
    "pid with space": f"pid= {os.getpid()}\n{HEAD}",
    "pid in hex": f"pid=0x1\n{HEAD}",
    "pid twice": f"pid=1\n{GOOD}",
    "uid is -1": f"pid={os.getpid()}\nuid=-1\nrun_id=r1\n",
    "uid missing": f"pid={os.getpid()}\nrun_id=r1\n",
    "other run than the name": f"pid={os.getpid()}\nuid={os.getuid()}\nrun_id=r2\n",
    "run is empty": f"pid={os.getpid()}\nuid={os.getuid()}\nrun_id=\n",
    "run missing": f"pid={os.getpid()}\nuid={os.getuid()}\n",
    "no equals sign": f"{GOOD}garbage\n",
    "carriage returns": GOOD.replace("\n", "\r\n"),
    "a zero byte": GOOD.encode() + b"trace=\0\n",
    "too long": GOOD + "x=" + "y" * 9000,
    "exactly too long": GOOD + "x=" + "y" * (8192 - len(GOOD) - 2),
    "not text": bytes(range(256)),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_ready_file_counts_as_none(run, ready, content):
    done = run("true", DATACRUMBS_RUN_DIR=ready(content))
    assert done.returncode == 0 and done.stderr.startswith(NOBODY_LISTENS) and done.stderr.count("\n") == 1


@pytest.mark.parametrize("content", [GOOD + "new=1\n", GOOD + "new=a=b\n\n", GOOD.rstrip(), GOOD + "x=" + "y" * 8000])
def test_what_later_versions_may_add_is_tolerated(run, ready, content):
    assert run("true", DATACRUMBS_RUN_DIR=ready(content)).stderr == ""


@pytest.mark.parametrize(
    "name", ["datacrumbs-.ready", "datacrumbs.ready", "datacrumbs-r1.ready.tmp", "r1.ready", "x" * 250]
)
def test_files_with_other_names_are_not_looked_at(run, ready, name):
    assert NOBODY_LISTENS in run("true", DATACRUMBS_RUN_DIR=ready(name=name)).stderr


def test_what_is_no_regular_file_never_blocks(run, ready, tmp_path):
    folder = Path(ready(name="aside"))
    os.mkfifo(folder / "datacrumbs-a.ready")
    (folder / "datacrumbs-b.ready").mkdir()
    (folder / "datacrumbs-r1.ready").symlink_to(folder / "aside")
    (folder / "datacrumbs-c.ready").symlink_to("/dev/zero")
    assert NOBODY_LISTENS in run("true", DATACRUMBS_RUN_DIR=str(folder)).stderr
    assert NOBODY_LISTENS in run("true", DATACRUMBS_RUN_DIR="/etc/passwd").stderr


def test_random_ready_files_never_stop_the_command(run, ready):
    """Mutations of a good file; under the sanitizers each would tell of a wrong step."""
    chance = random.Random(2)
    for i in range(400):
        text = bytearray(GOOD.encode())
        for _ in range(chance.randint(1, 4)):
            text[chance.randrange(len(text))] = chance.randrange(256)
        ready(bytes(text[: chance.randint(0, len(text))]), name=f"datacrumbs-r{i}.ready")
    done = run("true", DATACRUMBS_RUN_DIR=ready.folder)
    assert done.returncode == 0 and "anitizer" not in done.stderr and "runtime error" not in done.stderr


def test_wait_goes_on_when_a_runtime_becomes_ready(program, environment, ready):
    child = subprocess.Popen(
        [program, "--wait", "echo", "ran"], env=environment(DATACRUMBS_RUN_DIR=ready.folder),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    time.sleep(0.3)
    assert child.poll() is None
    ready()
    out, err = child.communicate(timeout=10)
    assert (out, err) == ("ran\n", "datacrumbs_wrap: waiting until a runtime of yours is ready\n")


def test_wait_does_not_wait_when_one_is_ready(run, ready):
    assert run("--wait", "echo", "ran", DATACRUMBS_RUN_DIR=ready()).stdout == "ran\n"


def test_wait_gives_up_after_its_time_and_runs_the_command(run, ready):
    start = time.monotonic()
    done = run("--wait=0.3", "echo", "ran", DATACRUMBS_RUN_DIR=ready.folder)
    assert 0.3 <= time.monotonic() - start < 10
    assert done.stdout == "ran\n" and NOBODY_LISTENS in done.stderr
