"""Arguments and results of user functions: what the trace shows is what the program passed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from datacrumbs.core.probes import RESULT, Argument, Capture, FileRef, Place
from tracing import Site, binary, function_probes

pytestmark = pytest.mark.ebpf

SOURCE = Path(__file__).parent / "programs" / "arguments.c"


def plain(*types: str) -> tuple[Argument, ...]:
    return tuple(Argument("abcdefgh"[i], i, kind) for i, kind in enumerate(types))


def memory(offset: int = 0, *, returned: bool = False) -> Place:
    return Place("", offset, dereference=True, returned=returned)


CAPTURES = {
    "narrow": Capture(plain("i8", "u8", "i16", "u16"), returns="i8"),
    "wide": Capture(plain("i32", "u32", "i64", "u64"), returns="u32"),
    "many": Capture(plain("i64", "i64", "i64", "i64", "i64", "i64", "i32", "i64"), returns="i64"),
    "pointers": Capture(plain("pointer", "pointer"), returns="pointer"),
    "strings": Capture(plain("string", "string"), returns="pointer"),
    "gives_back": Capture(
        (
            Argument("out", 0, "u64", memory(returned=True)),
            Argument("half", 1, "f32", memory(returned=True)),
            Argument("third", 2, "f64", memory(returned=True)),
        )
    ),
    "moves": Capture(
        (Argument("size", 1, "u64"), Argument("nmemb", 2, "u64")),
        (FileRef(descriptor=3, stream=True),),
        "u64",
        (RESULT, 0),
    ),
    "on_descriptor": Capture(files=(FileRef(descriptor=0),), returns="i32"),
    "opens_stream": Capture(
        (Argument("mode", 1, "string"),), (FileRef(path=0, returned=True, stream=True),), "pointer"
    ),
    "makes_handle": Capture(
        (Argument("handle", 1, "i64", memory(returned=True)),), (FileRef(path=0, returned=True, handle="mpi"),), "i64"
    ),
    "derives_handle": Capture(
        (Argument("from", 0, "i64"), Argument("name", 1, "string")),
        (FileRef(descriptor=0, returned=True, handle="mpi"),),
        "i64",
    ),
    "uses_handle": Capture(
        (Argument("handle", 0, "i64"), Argument("count", 1, "i32"), Argument("size", 2, "u64", memory())),
        (FileRef(descriptor=0, handle="mpi"),),
        "i32",
        (1, 2),
    ),
    "nested": Capture(plain("i64"), returns="i64"),
    "jumps": Capture(plain("i64"), returns="i64"),
}


@pytest.fixture(scope="module", params=["c-session", "c-multi", "c++-session"])
def calls(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The calls of one traced run by function: with return probes, with older links, and seen at their exits."""
    folder = tmp_path_factory.mktemp("arguments")
    language, links = request.param.split("-")
    program = folder / "arguments"
    options = ["-O1", "-D_GNU_SOURCE", "-w", "-o", program, SOURCE]
    if language == "c++":
        # as C, with a name in it that says that exceptions may pass
        options += ["-Wl,--defsym=__cxa_throw=main"]
    subprocess.run(["gcc", *options], check=True)
    with Site() as site:
        probes = site.sign(function_probes(program, list(CAPTURES), captures=CAPTURES), [binary(program)])
        with site.run(probes, f"arguments-{request.param}", "--function-links", links) as run:
            done = run.command([program, folder / "written"], check=False)
            assert done.returncode == 0, done.stderr
        found: dict[str, Any] = {name: [] for name in CAPTURES}
        for event in run.events("C"):
            found[event["name"]].append(event["args"] | {"path": event.get("path")})
        found["closing"] = run.closing()
        found["file"] = str(folder / "written")
        yield found


def only(calls: dict[str, Any], name: str, *keys: str) -> Any:
    (call,) = calls[name]
    return [call.get(key) for key in keys]


def test_integers_have_their_width_and_sign(calls: dict[str, Any]) -> None:
    """Integers of 8, 16, 32 and 64 bits, signed and not, whatever else is in their registers; results too."""
    assert only(calls, "narrow", "a", "b", "c", "d", "ret") == [-3, 200, -30000, 60000, -3]
    expected = [-2000000000, 4000000000, -(2**63), 2**64 - 1, (-2000000000 + 4000000000 - 1) % 2**32]
    assert only(calls, "wide", "a", "b", "c", "d", "ret") == expected


def test_arguments_on_the_stack(calls: dict[str, Any]) -> None:
    """The seventh and the eighth argument are where the calling convention puts them."""
    assert only(calls, "many", *"abcdefgh", "ret") == [1, -2, 3, -4, 5, -6, 7, -8, -4]


def test_pointers_are_addresses(calls: dict[str, Any]) -> None:
    """A pointer is its address in hexadecimal, none is null."""
    assert only(calls, "pointers", "a", "b", "ret") == [None, "0x7f00", "0x7f00"]


def test_strings_are_bounded_and_valid(calls: dict[str, Any]) -> None:
    """Texts are cut at 255 bytes, wrong bytes are U+FFFD; an address that cannot be read is shown as such."""
    first, second = calls["strings"]
    assert first["a"] == 'café \ufffd "x"\n'
    assert first["b"] == "a" * 255
    assert (second["a"], second["b"], second["ret"]) == (None, "0x8", "0x8")


def test_what_is_handed_out_through_pointers(calls: dict[str, Any]) -> None:
    """Memory that a function fills is read when it returns: integers and floats."""
    assert only(calls, "gives_back", "out", "half", "third") == [0xFEDCBA9876543210, 0.5, 1 / 3]


def test_streams_and_descriptors_name_their_files(calls: dict[str, Any]) -> None:
    """A FILE * and a descriptor stand for their file; bytes are size times count; a failed open has its path."""
    assert only(calls, "moves", "size", "nmemb", "ret", "bytes", "path") == [4, 100, 100, 400, calls["file"]]
    assert only(calls, "on_descriptor", "ret", "path") == [2, calls["file"]]
    good, bad = calls["opens_stream"]
    assert (good["path"], good["mode"]) == (calls["file"], "w")
    assert (bad["path"], bad["mode"], bad["ret"]) == ("/nonexistent/file", "r", None)


def test_handles_are_followed_to_their_file(calls: dict[str, Any]) -> None:
    """A handle that an open hands out, and one made of it, name the file; bytes come from what they point to."""
    assert only(calls, "makes_handle", "handle", "path") == [0x1234567, calls["file"]]
    assert only(calls, "derives_handle", "from", "name", "path") == [0x1234567, "name", calls["file"]]
    assert only(calls, "uses_handle", "count", "bytes", "path") == [25, 200, calls["file"]]


def test_recursion_keeps_every_call_apart(calls: dict[str, Any]) -> None:
    """Of 101 calls in one another each that is seen to return has its own argument and result; others are counted."""
    seen = [call for call in calls["nested"] if "a" in call]
    assert len(calls["nested"]) + calls["closing"]["missed_returns"] - 100 == 101  # 100 more in jumps
    assert all(call["ret"] == call["a"] for call in seen)
    assert len({call["a"] for call in seen}) == len(seen) >= 60


def test_a_call_left_by_longjmp_does_not_lend_its_arguments(calls: dict[str, Any]) -> None:
    """After 100 calls that were left without a return, the next one has its own argument."""
    assert only(calls, "jumps", "a", "ret") == [-5, -5]
