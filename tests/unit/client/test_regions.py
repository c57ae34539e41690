"""datacrumbs.client for Python programs: regions, start and stop."""

from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import pytest
from datacrumbs.client import region, start, stop
from datacrumbs.client._client import ffi

START, STOP, REGION = 1, 2, 3


def text_of(opened: region) -> list[bytes]:
    """What the region's marker says, without its time: name, key, typed value, key, …"""
    bare = opened._open
    return bytes(ffi.buffer(bare.text, bare.size - 8)).removesuffix(b"\0").split(b"\0")


def argument(value: object) -> list[bytes]:
    """How a region shows a value."""
    with region("", key=value) as opened:
        return text_of(opened)[2:]


def test_a_region_has_its_name_and_arguments():
    with region("epoch 3", step=3, loss=0.1, file="a.h5") as opened:
        assert text_of(opened) == [b"epoch 3", b"step", b"n3", b"loss", b"n0.1", b"file", b"sa.h5"]


def test_arguments_can_be_added_until_it_ends():
    with region("epoch", step=3) as opened:
        opened.add(loss=0.5)
        assert text_of(opened) == [b"epoch", b"step", b"n3", b"loss", b"n0.5"]


class Broken:
    def __str__(self) -> str:
        raise ValueError("cannot be shown")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, [b"n0"]), (-(2**63), [b"n-9223372036854775808"]), (2**63, [b"s9223372036854775808"]), (10**5000, []),
        (1e-7, [b"n1e-07"]), (float("nan"), [b"snan"]), (Fraction(1, 4), [b"n0.25"]), (Decimal("1.50"), [b"s1.50"]),
        (True, [b"sTrue"]), (None, [b"sNone"]), ("", [b"s"]), ("ü€", ["sü€".encode()]), ("\udcff", [b"s?"]),
        ("a\0b", [b"sa"]), ([1, 2], [b"s[1, 2]"]), ("x" * 2000, []), (Broken(), []),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_values_are_numbers_or_text_and_never_an_error(value, shown):
    assert argument(value) == shown, "left out whole where it cannot be shown"


def test_an_argument_that_cannot_be_shown_leaves_the_others():
    with region("r", a=1, b=Broken(), c="x" * 5000, d=4) as opened:
        assert text_of(opened) == [b"r", b"a", b"n1", b"d", b"n4"]


def test_a_decorated_function_stays_what_it_is():
    @region("load", kind="test")
    def load(a: int, *, b: int = 2) -> int:
        """Loads."""
        return a + b

    @region("load")
    async def load_later(a: int) -> int:
        await asyncio.sleep(0)
        return a

    assert load(1, b=3) == 4 and (load.__name__, load.__doc__) == ("load", "Loads.")
    assert inspect.iscoroutinefunction(load_later) and asyncio.run(load_later(5)) == 5


def test_a_decorated_function_may_call_itself():
    @region("down")
    def down(n: int) -> int:
        return n and down(n - 1)

    assert down(50) == 0


def test_a_generator_cannot_be_decorated():
    """Its call ends before its work begins: the region would be empty, and say nothing of it."""
    with pytest.raises(TypeError, match="generator"):

        @region("numbers")
        def numbers():
            yield 1


def test_exceptions_pass_through():
    with pytest.raises(KeyError), region("r"):
        raise KeyError("x")


PROGRAM = """
import asyncio, threading
from datacrumbs.client import region, start, stop
start("my run")
with region("outer"):
    try:
        with region("inner"):
            raise ValueError
    except ValueError:
        pass
@region("sync")
def sync(): pass
@region("async")
async def later(): await asyncio.sleep(0)
sync()
asyncio.run(later())
thread = threading.Thread(target=sync); thread.start(); thread.join()
start()
stop()
"""


def test_each_region_and_switch_is_one_marker(strace, token_of):
    seen = strace(sys.executable, "-c", PROGRAM)
    operations = [operation for operation, _ in seen.markers]
    assert (seen.code, seen.out, seen.err) == (0, "", "")
    assert operations == [START, *[REGION] * 5, START, STOP]
    assert seen.markers[0] == (START, token_of("my run")) and seen.markers[-2] == (START, 0)


def test_importing_it_does_not_bring_the_process_in(strace):
    assert strace(sys.executable, "-c", "import datacrumbs.client").markers == []


def test_it_does_nothing_visible_when_nobody_listens():
    start("a run that nobody made")
    with region("r"):
        pass
    stop()


def test_it_works_in_a_forked_child():
    child = os.fork()
    if child == 0:
        with region("child"):
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_numbers_do_not_depend_on_the_locale(tmp_path):
    """A decimal comma would break the trace's JSON."""
    program = (
        "import locale, sys; from datacrumbs.client import region; from datacrumbs.client._client import ffi\n"
        "locale.setlocale(locale.LC_ALL, 'xx_XX.UTF-8'); assert locale.localeconv()['decimal_point'] == ','\n"
        "with region('', v=1.5) as r: sys.stdout.write(ffi.string(r._open.text + 3).decode())\n"
    )
    made = subprocess.run(
        ["localedef", "-f", "UTF-8", "-i", "de_DE", tmp_path / "xx_XX.UTF-8"], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("this machine has no sources of locales; tests/native/client_region.c covers the step itself")
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | {"LOCPATH": str(tmp_path)}, capture_output=True, check=True
    )
    assert done.stdout == b"n1.5"


def test_names_that_the_tracer_itself_uses_are_left_out():
    """A region cannot pass for a call on another file, of another host or of another duration."""
    reserved = dict.fromkeys(("hhash", "fhash", "fhash2", "fname", "dur_ns", "ts_ns", "profile", "cause", "thread"), 1)
    with region("epoch", **reserved, fhash3=2) as opened:
        assert text_of(opened) == [b"epoch", b"fhash3", b"n2"]
