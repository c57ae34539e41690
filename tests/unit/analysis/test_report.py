"""The HTML report's content: its sums are those of the summary, its single calls are complete where it says so."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from datacrumbs.analysis.reading.trace import open_traces
from datacrumbs.analysis.report import packing
from datacrumbs.analysis.report.document import Budget, Maker, prepare
from datacrumbs.analysis.report.kinds import kind_of
from datacrumbs.analysis.report.page import SCRIPTS, STYLES, render
from datacrumbs.analysis.report.spans import Range, depths
from datacrumbs.analysis.summing.gather import of_traces
from datacrumbs.analysis.summing.summarise import summarise
from datacrumbs.analysis.summing.summary import Summary
from hypothesis import given
from hypothesis import strategies as st
from tracegen import EPOCH_NS, TraceWriter, synthetic

ROOT = Path(__file__).resolve().parents[3]
CALLS = 40_000


def unpack(text: str) -> list[int]:
    """What web/unpack.js does."""
    numbers, number, shift = [], 0, 0
    for byte in base64.b64decode(text):
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            numbers.append(number)
            number, shift = 0, 0
    return numbers


def unpack_sorted(text: str) -> list[int]:
    total, numbers = 0, []
    for step in unpack(text):
        total += step
        numbers.append(total)
    return numbers


def unpack_signed(text: str) -> list[int]:
    return [-(n + 1) // 2 if n % 2 else n // 2 for n in unpack(text)]


@given(st.lists(st.integers(0, 1 << 53)))
def test_columns_come_back(numbers: list[int]) -> None:
    assert unpack(packing.pack(numbers)) == numbers
    assert unpack_sorted(packing.pack_sorted(sorted(numbers))) == sorted(numbers)
    signed = [-n if n % 3 else n for n in numbers]
    assert unpack_signed(packing.pack_signed(signed)) == signed


class Made:
    """A prepared report and the summary that it must agree with."""

    def __init__(self, make: Maker, summary: Summary) -> None:
        self.make, self.summary = make, summary
        self.document = make(Budget())


def prepared(path: Path, asked: tuple[Range, ...] = ()) -> Iterator[Made]:
    with open_traces([str(path)]) as traces:
        whole = of_traces(traces)
        summary = summarise(whole)
        yield Made(prepare(traces, whole.sums, summary, asked), summary)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    path = tmp_path_factory.mktemp("report") / "t.pfw.gz"
    synthetic(path, CALLS, files=300)
    yield from prepared(path)


def sums(table: dict[str, Any]) -> dict[str, int]:
    return {name: sum(unpack(table[name])) for name in ("calls", "failed", "time", "read", "written")}


@pytest.mark.parametrize("budget", [Budget(), Budget(cells=500, lanes=500, spans=400)])
def test_slices_add_up_to_the_summary(made: Made, budget: Budget) -> None:
    """Calls and bytes exactly; time within the nanosecond that each part of a call may lose to rounding."""
    document = made.make(budget)
    found, header = sums(document["cells"]), made.summary.header
    if budget == Budget():
        assert (found["calls"], found["read"], found["written"]) == (CALLS, header.bytes_read, header.bytes_written)
        assert 0 <= header.io_time_ns - found["time"] <= CALLS * 3
    assert document["grid"]["bins"] <= 480
    assert sum(unpack(document["latency"]["calls"])) <= CALLS
    assert document["cells"]["rows"] <= 2 * budget.cells


def test_request_sizes_are_counted_by_powers_of_two(made: Made) -> None:
    """The generated trace reads 4 KiB and 1 MiB, and writes 64 KiB."""
    calls = {row.function: row.calls for row in made.summary.functions}
    assert sizes(made.document)[0] == {
        (False, 12): calls["read"], (False, 20): calls["pread64"], (True, 16): calls["write"]
    }  # fmt: skip


def sizes(document: dict[str, Any]) -> tuple[dict[tuple[bool, int], int], dict[tuple[bool, int], int]]:
    """Calls by whether they write, and by power of two; and by one of the common sizes."""
    table = document["sizes"]
    powers, side = table["powers"], table["powers"] + len(table["common"])
    by_power: Counter[tuple[bool, int]] = Counter()
    by_size: Counter[tuple[bool, int]] = Counter()
    for key, number in zip(unpack_sorted(table["key"]), unpack(table["calls"]), strict=True):
        written, place = key // side % 2 == 1, key % side
        if place < powers:
            by_power[written, place] += number
        else:
            by_size[written, table["common"][place - powers]] += number
    return by_power, by_size


def test_common_sizes_are_exact(tmp_path: Path) -> None:
    """The twelve that are met most, each with its reads and writes; sizes of a layer above count in no total."""
    with TraceWriter(tmp_path / "t.pfw") as trace:
        trace.opening()
        worker, now = trace.process(1, "w"), EPOCH_NS
        for size in range(1, 16):
            for turn in range(size):
                name = "pwrite64" if turn % 2 else "read"
                trace.call(worker, name, now, 500, fhash=trace.file("/a"), ret=size * 1000)
                trace.call(worker, "fwrite", now + 600, 100, cat="C", ret=77)
                now += 2000
    for made in prepared(tmp_path / "t.pfw"):
        found = sizes(made.document)[1]
        assert found == {
            (write, size * 1000): number
            for size in range(4, 16)
            for write, number in ((False, (size + 1) // 2), (True, size // 2))
        }


def test_files_count_once_however_many_layers_tell_of_them(tmp_path: Path) -> None:
    """What `fwrite` writes, `write` writes: the bytes of the file are those of the summary."""
    with TraceWriter(tmp_path / "t.pfw") as trace:
        trace.opening()
        worker, file = trace.process(1, "w"), trace.file("/data/a")
        for turn in range(10):
            trace.call(worker, "fwrite", EPOCH_NS + turn * 9000, 5000, cat="C", fhash=file, ret=4096)
            trace.call(worker, "write", EPOCH_NS + turn * 9000 + 1000, 3000, fhash=file, ret=4096)
    for made in prepared(tmp_path / "t.pfw"):
        [row] = made.summary.files
        found = sums(made.document["file_cells"])
        assert (found["calls"], found["written"], found["time"]) == (row.calls, row.bytes_written, row.time_ns)
        assert (row.calls, row.bytes_written) == (10, 40960)


def test_places_have_all_files_and_uses_add_up(tmp_path: Path) -> None:
    """A place is a folder at the root; files without slices of their own count there, and each file has one use."""
    with TraceWriter(tmp_path / "t.pfw") as trace:
        trace.opening()
        one, two, now = trace.process(1, "a"), trace.process(2, "b"), EPOCH_NS
        for number in range(400):
            folder = ("scratch", "home", "tmp")[number % 3]
            file = trace.file(f"/{folder}/{number}")
            if number % 4:
                trace.call(one, "read", now, 700, fhash=file, ret=100)
            if number % 2:
                trace.call(two, "pwrite64", now + 900, 600, fhash=file, ret=10, offset=number)
            if number % 4 == 0:
                trace.call(two, "stat", now, 500, fhash=file, ret=0)
            now += 2000
        trace.call(one, "read", now, 700, fhash=trace.file("pipe:[7]"), ret=1)
    for made in prepared(tmp_path / "t.pfw"):
        places, table = made.document["places"], made.document["file_cells"]
        assert dict(zip(places["names"], places["files"], strict=True)) == {
            "/scratch": 134, "/home": 133, "/tmp": 133, "pipe": 1
        }  # fmt: skip
        calls: Counter[str] = Counter()
        for key, number in zip(unpack_sorted(table["key"]), unpack(table["calls"]), strict=True):
            file = key % table["rows_of_a_slice"]
            place = places["of"][file] if file < table["files"] else file - table["files"]
            calls[places["names"][place]] += number
        by_place = Counter(f"/{row.path.split('/')[1]}" if row.path[0] == "/" else "pipe" for row in made.summary.files
                           for _ in range(row.calls))  # fmt: skip
        assert calls == by_place
        uses = {row["use"]: (row["files"], row["shared"], row["read"], row["written"], row["size_max"])
                for row in made.document["uses"]}  # fmt: skip
        assert uses == {
            "read": (101, 0, 10_001, 0, 100), "both": (200, 200, 20_000, 2000, 409), "neither": (100, 0, 0, 0, 0)
        }  # fmt: skip


def test_bytes_of_mpi_and_hdf5_are_those_that_they_say(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.pfw") as trace:
        trace.opening()
        worker = trace.process(1, "w")
        trace.call(worker, "H5FD_write", EPOCH_NS, 9000, cat="HDF5", ret=0, bytes=4096)
        trace.call(worker, "MPI_File_write_at_all", EPOCH_NS + 1000, 7000, cat="MPI-IO", ret=0, bytes=4096)
        trace.call(worker, "pwrite64", EPOCH_NS + 2000, 5000, ret=4096)
    for made in prepared(tmp_path / "t.pfw"):
        assert {row.category: row.bytes_written for row in made.summary.categories} == dict.fromkeys(
            ("HDF5", "MPI-IO", "POSIX"), 4096
        )
        assert made.summary.header.bytes_written == 4096


def test_slices_of_files_add_up(made: Made) -> None:
    """The sums of each file that has slices of its own are those of the summary's row."""
    table = made.document["file_cells"]
    rows = {row.path: row for row in made.summary.files}
    calls: dict[int, int] = {}
    for key, number in zip(unpack_sorted(table["key"]), unpack(table["calls"]), strict=True):
        file = key % table["rows_of_a_slice"]
        if file < table["files"]:
            calls[file] = calls.get(file, 0) + number
    assert len(calls) == 150
    for file, number in calls.items():
        assert rows[made.document["paths"][file]].calls == number


def test_calls_without_a_file_are_of_no_file(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.pfw") as trace:
        worker = trace.process(1, "w")
        trace.call(worker, "sync", EPOCH_NS, 1000)
        trace.call(worker, "read", EPOCH_NS + 2000, 1000, fhash=trace.file("/a"), ret=1)
    for made in prepared(tmp_path / "t.pfw"):
        assert [row["file"] for row in made.document["files"]] == [0] and made.document["paths"] == ["/a"]
        assert sums(made.document["file_cells"])["calls"] == 1


def test_requests_lie_below_the_calls_that_ran_meanwhile(tmp_path: Path) -> None:
    """Time with several requests under way counts once, a request that no call waits for stays at the top, and all of
    the tree is the time of the thread's calls and of what the kernel did while there was none.
    """
    with TraceWriter(tmp_path / "t.pfw") as trace:
        trace.opening()
        worker = trace.process(100, "w")
        trace.call(worker, "checkpoint", EPOCH_NS, 900_000, cat="region")
        trace.call(worker, "fsync", EPOCH_NS + 50_000, 800_000, fhash=trace.file("/a"), ret=0)
        for lane, begin, length in ((0, 150, 500), (1, 350, 450), (0, 840, 100)):
            trace.call(worker, "block_rq", EPOCH_NS + begin * 1000, length * 1000, tid=10_000_000 + lane, cat="block",
                       cause="request", thread=100, ret=0)  # fmt: skip
        trace.closing(ended=1)
    for made in prepared(tmp_path / "t.pfw"):
        tree, names = made.document["tree"], [function["name"] for function in made.document["functions"]]
        found: dict[str, list[int]] = {}
        for key, calls, own in zip(unpack_sorted(tree["key"]), unpack(tree["calls"]), unpack(tree["own"]), strict=True):
            node, path = key % tree["nodes"], ""
            while node >= 0:
                path, node = f"/{names[tree['fn'][node]]}{path}", tree["parent"][node]
            sum_ = found.setdefault(path, [0, 0])
            sum_[0], sum_[1] = sum_[0] + calls, sum_[1] + own
        assert {path: calls for path, (calls, _) in found.items()} == {
            "/checkpoint": 1, "/checkpoint/fsync": 1, "/checkpoint/fsync/block_rq": 3, "/checkpoint/block_rq": 0,
            "/block_rq": 0,
        }  # fmt: skip
        times = {"/checkpoint": 50_000, "/checkpoint/fsync": 140_000, "/checkpoint/fsync/block_rq": 660_000,
                 "/checkpoint/block_rq": 50_000, "/block_rq": 40_000}  # fmt: skip
        assert all(0 <= times[path] - own <= made.document["grid"]["bins"] for path, (_, own) in found.items())
        assert [tree["fn"][node] for node in tree["elsewhere"]] == 2 * [names.index("block_rq")]


def test_a_long_call_is_spread_over_the_slices_it_lies_in(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.pfw") as trace:
        worker = trace.process(1, "w")
        trace.call(worker, "fsync", EPOCH_NS, 9_600_000_000)
        trace.closing(ended=1)
    for made in prepared(tmp_path / "t.pfw"):
        cells, grid = made.document["cells"], made.document["grid"]
        times = unpack(cells["time"])
        assert sum(unpack(cells["calls"])) == 1 and len(times) == grid["bins"]
        assert abs(sum(times) - 9_600_000_000) <= len(times)
        assert all(abs(time - grid["width_us"] * 1000) <= 1000 for time in times[:-1])


def test_a_small_trace_has_every_call(tmp_path: Path) -> None:
    synthetic(tmp_path / "t.pfw.gz", 3000)
    for made in prepared(tmp_path / "t.pfw.gz"):
        calls = made.document["calls"]
        assert calls["rows"] == 3000 and [w["kind"] for w in calls["windows"]] == ["all"]
        assert sum(unpack(calls["ns"])) == made.summary.header.io_time_ns


def test_windows_and_threshold_keep_their_promise(made: Made) -> None:
    """Every call of a window, and every call that is longer than the threshold, is among the single calls."""
    document = made.make(Budget(spans=6000))
    calls = document["calls"]
    assert calls["rows"] <= 6000 and calls["threshold_ns"] > 0
    ns = unpack(calls["ns"])
    [[longer]] = [[sum(1 for n in ns if n >= calls["threshold_ns"])]]
    starts, lengths = _starts(calls), unpack(calls["dur"])
    assert len(calls["windows"]) >= 3
    for window in calls["windows"]:
        inside = sum(
            at <= window["end_us"] and at + dur >= window["begin_us"] for at, dur in zip(starts, lengths, strict=True)
        )
        assert inside == window["calls"] > 0
    assert longer <= 3000


def _starts(calls: dict[str, Any]) -> list[int]:
    total, found = 0, []
    for step in unpack_signed(calls["at"]):
        total += step
        found.append(total)
    return found


def test_the_user_can_ask_for_a_window(tmp_path: Path) -> None:
    synthetic(tmp_path / "t.pfw.gz", 60_000)
    for made in prepared(tmp_path / "t.pfw.gz", (Range(20_000, 21_000),)):
        [window] = [w for w in made.document["calls"]["windows"] if w["kind"] == "asked"]
        assert window["begin_us"] == 20_000 and window["end_us"] == 21_000 and window["calls"] > 50


def test_depth_is_how_many_calls_a_call_lies_in() -> None:
    rows = [(0, 0, 100, 0, 0, 0, 0), (0, 10, 20, 0, 0, 0, 0), (0, 15, 5, 0, 0, 0, 0), (0, 30, 5, 0, 0, 0, 0)]
    assert depths([*rows, (1, 0, 5, 0, 0, 0, 0)]) == [0, 1, 2, 1, 0]


@pytest.mark.parametrize(
    ("function", "kind"),
    [("pread64", "read"), ("fwrite", "write"), ("H5Dread", "read"), ("MPI_File_write_at_all", "write"),
     ("fsync", "sync"), ("open64", "metadata"), ("fclose", "metadata"), ("readdir", "metadata"),
     ("readlink", "metadata"), ("MPI_File_open", "metadata"), ("MPI_File_sync", "sync"), ("H5Fcreate", "metadata"),
     ("H5Fflush", "sync"), ("H5FD_write", "write"), ("H5Dclose", "metadata"), ("main", "other")],
)  # fmt: skip
def test_kinds(function: str, kind: str) -> None:
    assert kind_of(function) == kind


def test_the_page_is_one_file_that_allows_nothing_from_outside(made: Made) -> None:
    """Its policy names the one script and the one style by their hashes; there is no other."""
    page = render(made.document | {"title": "t"}, "t")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    allowed = policy[1].replace("&#x27;", "'")
    assert allowed.startswith("default-src 'none'; ")
    for tag in ("script", "style"):
        [text] = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in allowed
    outside = re.sub(r'<script type="application/json".*?</script>', "", page, flags=re.DOTALL)
    assert not re.search(r"https?://|src=|@import|url\(", outside)
    assert not re.search(r"\son\w+=|\sstyle=", (ROOT / "analysis/web/page.html").read_text())


def test_hostile_names_stay_data(tmp_path: Path) -> None:
    """No text of a trace can end the element that it stands in."""
    name = "</script><script>alert(1)</script><!-- @@SCRIPT@@ \u2028\x1b[31m"
    with TraceWriter(tmp_path / "t.pfw") as trace:
        worker = trace.process(1, name, cmd=name)
        trace.call(worker, name, EPOCH_NS, 1000, cat=name, fhash=trace.file("/" + name))
        trace.closing(ended=1)
    for made in prepared(tmp_path / "t.pfw"):
        page = render(made.document | {"title": name}, name)
        assert page.count("<script") == 2 and page.count("</script>") == 2 and "<!--" not in page
        [data] = re.findall(r'id="data">(.*?)</script>', page, re.DOTALL)
        assert json.loads(data)["functions"][0]["name"] == name


def test_every_source_of_the_page_is_used() -> None:
    """A script or style that page.py does not name would never run."""
    here = {path.name for path in (ROOT / "analysis/web").glob("*.[cj]s*")}
    assert here == {*STYLES, *SCRIPTS}


def test_many_of_everything_fits(tmp_path: Path) -> None:
    """Thousands of threads, files and functions with long names: the report stays small, and says what it left out."""
    rng = random.Random(7)
    with TraceWriter(tmp_path / "t.pfw.gz") as trace:
        trace.opening()
        workers = [trace.process(100 + n, f"worker{n}" * 20, cmd="x" * 3000) for n in range(600)]
        files = [trace.file(f"/data/{n}/" + "long" * 900) for n in range(400)]
        now = EPOCH_NS
        for number in range(20_000):
            now += rng.randrange(20_000)
            worker = workers[number % 600]
            trace.call(worker, f"function{number % 200}", now, rng.randrange(1, 10**7), fhash=files[number % 400],
                       tid=worker.pid + 1000 * (number // 600 % 3), ret=rng.choice([-2, 0, 4096]))  # fmt: skip
        trace.closing(ended=now // 1000)
    for made in prepared(tmp_path / "t.pfw.gz"):
        page = render(made.document | {"title": "t"}, "t")
        assert len(page) < 5 << 20
        assert len(made.document["functions"]) == 64 and made.document["functions"][-1]["name"] == ""
        assert made.document["lanes"]["left_out"] > 0
        assert sums(made.document["cells"])["calls"] == 20_000


def test_calls_that_were_only_added_up_are_in_all_sums(tmp_path: Path) -> None:
    """A profile has no single calls to draw, but sums by process, function, file and duration; the report says so."""
    with TraceWriter(tmp_path / "t.pfw") as trace:
        trace.opening()
        worker, other = trace.process(7, "w"), trace.process(8, "o")
        file, second = trace.file("/data/a"), EPOCH_NS + 10**9
        trace.added_up(worker, "read", EPOCH_NS, {1000: 4, 300_000: 1}, moved=20480, errors=1, fhash=file)
        trace.added_up(other, "write", second, {1000: 7}, moved=700, fhash=trace.file("/data/b"))
        trace.call(worker, "read", second, 5000, ret=100, fhash=file)
        trace.closing(ended=EPOCH_NS // 1000)
    for made in prepared(tmp_path / "t.pfw"):
        document = made.document
        assert document["profiled"] == 12 and document["calls"]["rows"] == 1
        total = made.summary.header
        assert sums(document["cells"]) == {
            "calls": 13, "failed": 1, "time": total.io_time_ns, "read": 20580, "written": 700,
        }  # fmt: skip
        assert total.calls == 13 and sums(document["file_cells"]) == sums(document["cells"])
        assert sum(unpack(document["latency"]["calls"])) == 13 and sum(unpack(document["tree"]["calls"])) == 13
        assert sum(unpack(document["tree"]["own"])) == total.io_time_ns
        assert [row["processes"] for row in document["files"]] == [1, 1]
        assert document["with_calls"] == 2 and [row["pid"] for row in document["processes"]] == [7, 8]
        told = {row["function"]: row["traced"] for row in document["explanations"]}
        assert told == {"read": True, "write": False}
        assert render(made.document | {"title": "t"}, "t")


def test_a_trace_without_calls_is_a_report_too(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.pfw") as trace:
        trace.opening()
        trace.process(1, "idle")
        trace.closing(ended=EPOCH_NS // 1000)
    for made in prepared(tmp_path / "t.pfw"):
        assert made.document["cells"]["rows"] == 0 and len(made.document["processes"]) == 1
