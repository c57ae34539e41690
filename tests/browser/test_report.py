"""The HTML report in a real browser: it opens from a file, asks for nothing, and every view answers a selection."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import readers
from browser import Browser, Page
from tracegen import EPOCH_NS, TraceWriter, synthetic

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]
PART = "!document.getElementById('selection-clear').hidden"
"""Not the whole run is selected."""
PROBE = Path(__file__).with_name("probe.js")
SECTIONS = ("glance", "layers", "timeline", "heatmap", "latency", "files", "processes", "explain")
HOSTILE = (
    '"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>',
    "</script><script>window.hacked=1</script>",
    "'; DROP TABLE records; --",
    "\u202egnp.exe\u0007\x1b[31m",
    "x" * 4000,
    "javascript:window.hacked=1",
)


def make_report(trace: Path, out: Path, *options: str) -> Path:
    code = "from datacrumbs.analysis.command import main; raise SystemExit(main())"
    command = [sys.executable, "-c", code, "report", trace, "-o", out, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and done.stderr == "", done
    assert str(out) in done.stdout
    return out


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as running:
        yield running


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a trace that is larger than what is drawn call by call."""
    folder = tmp_path_factory.mktemp("report")
    synthetic(folder / "t.pfw.gz", 300_000)
    return make_report(folder / "t.pfw.gz", folder / "report.html")


@pytest.fixture(scope="module")
def layered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a small trace of several layers, with errors, children, signals and hostile names everywhere."""
    folder = tmp_path_factory.mktemp("layered")
    with TraceWriter(folder / "t.pfw.gz", host=HOSTILE[0]) as trace:
        trace.opening(user=HOSTILE[1], refused_count=1, refused=[HOSTILE[0]])
        parent = trace.process(100, HOSTILE[0], cmd=HOSTILE[1])
        files = [trace.file("/" + name) for name in HOSTILE]
        for number, name in enumerate(HOSTILE):
            child = trace.process(101 + number, name, ppid=100, cmd=name, start_ns=EPOCH_NS + number * 10**6)
            for turn in range(40):
                start = EPOCH_NS + number * 10**6 + turn * 50_000
                trace.call(child, name, start, 40_000, cat=name, fhash=files[number])
                trace.call(child, "H5Dwrite", start + 1000, 35_000, cat="HDF5")
                trace.call(child, "fwrite", start + 2000, 30_000, cat="C", fhash=files[number], ret=100)
                trace.call(child, "write", start + 3000, 20_000, fhash=files[number], ret=4096 if turn % 9 else -28)
            begin = EPOCH_NS + (number + 2) * 10**6
            trace.added_up(child, f"sum {name}", begin, {9000: 5}, cat=name, fhash=files[number], moved=9)
            trace.exit(child, EPOCH_NS + (number + 4) * 10**6, **({"signal": 9} if number == 2 else {"exit": number}))
        trace.exit(parent, EPOCH_NS + 12 * 10**6, exit=0)
        trace.closing(ended=EPOCH_NS // 1000 + 12_000)
    return make_report(folder / "t.pfw.gz", folder / "report.html", "--title", HOSTILE[0])


def opened(page: Page, report: Path) -> None:
    """Opens a report, and what the tests ask it with."""
    page.open(report)
    page.run(PROBE.read_text() + "\nglobalThis.probe = probe; 0")


def painted(page: Page, selector: str) -> int:
    """How many colours a canvas has, in steps of eight."""
    return int(page.run(f"probe.colours({json.dumps(selector)})"))


def in_sight(page: Page, section: str) -> None:
    """Scrolls to a section and waits until it shows what is selected."""
    page.run(f"document.getElementById('{section}').scrollIntoView()")
    page.settle()
    page.wait(f"!('stale' in document.getElementById('{section}').dataset)")


def text(page: Page, selector: str) -> str:
    return str(page.run(f"document.querySelector({json.dumps(selector)}).innerText"))


def table(label: str, rows: str = " tbody tr") -> str:
    """The selector of a table's rows, or of the table, by its accessible name."""
    return f"[aria-label=\\'{label}\\']{rows}"


def shown(page: Page) -> dict[str, Any]:
    """What each view shows, in a form that changes when the view does."""
    found: dict[str, Any] = {}
    for section in SECTIONS:
        in_sight(page, section)
        found[section] = page.run(f"probe.look('{section}')")
    return found


def test_it_opens_from_a_file_and_asks_for_nothing(browser: Browser, report: Path) -> None:
    """No console error, no breach of its own policy, and one request: the file itself."""
    assert report.stat().st_size < 5 << 20
    with browser.page() as page:
        opened(page, report)
        for section in SECTIONS:
            in_sight(page, section)
        page.scheme("dark")
        page.settle()
        assert page.complaints() == []
        assert page.requests() == [report.as_uri()]


def test_every_view_is_drawn(browser: Browser, report: Path) -> None:
    """By pixels and by DOM."""
    with browser.page() as page:
        opened(page, report)
        assert text(page, "h1") == "run on node1"
        assert "Complete: 300,000 events captured, none lost." in text(page, "#complete")
        assert "300,000" in text(page, "#tiles")
        for section, canvas in (
            ("strip", "#strip-canvas"), ("timeline", "#timeline-canvas"), ("heatmap", "#heat-canvas"),
            ("latency", "#latency td canvas"), ("files", "#files td canvas"),
        ):  # fmt: skip
            in_sight(page, section)
            assert painted(page, canvas) >= 3, section
        in_sight(page, "layers")
        assert page.run("probe.all('.icicle-cell').length") >= 3
        assert page.run(f"probe.all('{table('Functions')}').length") == 8
        assert page.run(f"probe.all('{table('Durations by function')}').length") == 8
        assert "64 KiB to 128 KiB" in text(page, ".sizes")
        assert page.run(f"probe.all('{table('Files')}').length") == 20
        assert "/scratch/alice/run/step" in text(page, "#files tbody")
        in_sight(page, "processes")
        assert page.run("probe.all('#processes tbody tr').length") == 8
        assert "worker3" in text(page, "#processes tbody")


def test_the_first_thing_seen_is_the_answer(browser: Browser, report: Path) -> None:
    """Without scrolling: whether the trace is complete, how much of the time is I/O, what it was for and where, why."""
    with browser.page() as page:
        opened(page, report)
        assert page.run("document.querySelector('.why').getBoundingClientRect().bottom < innerHeight")
        answer = text(page, "#answer")
        assert "of the time of 8 processes" in answer and "of the time in I/O is fsync." in answer
        assert [kind in answer for kind in ("read", "write", "sync", "metadata")] == [True] * 4
        assert "/scratch/alice/run/step" in answer and "worker" in answer and "calls of fsync" in answer
        shares = page.run("probe.texts('#answer .kinds dd.num.muted')")
        assert 98 < sum(float(share.removesuffix(" %")) for share in shares) < 102
        page.run("document.querySelector('.why button').click()")
        assert page.run("document.activeElement.id") == "explain"
        assert page.run("document.querySelector('#explain [aria-pressed=true]').innerText") == "fsync"


def test_what_pydarshan_shows_is_there(browser: Browser, report: Path) -> None:
    """Time by category and kind with a bandwidth, common sizes, files by place and by use, the order of accesses."""
    with browser.page() as page:
        opened(page, report)
        in_sight(page, "layers")
        [category] = page.run(f"probe.texts('{table('Time and bytes by category')}')")
        assert category.startswith("POSIX") and "300,000" in category and "/s" in category
        assert "read" in page.run("document.querySelector('#layers .stack.kinds').getAttribute('aria-label')")
        in_sight(page, "latency")
        common = page.run(f"probe.texts('{table('Common sizes')}')")
        assert [row.split()[0] for row in common] == ["4,096", "65,536", "1,048,576"]
        in_sight(page, "files")
        [place] = page.run(f"probe.texts('{table('By place')}')")
        assert place.split()[:2] == ["/scratch", "200"]
        [use] = page.run(f"probe.texts('{table('Files by use')}')")
        assert use.split("\t")[:3] == ["read and written", "200", "200"]
        assert "sequential" in text(page, "#files .ladder-rows")


def test_explain_tells_of_any_function_and_any_time(browser: Browser, layered: Path) -> None:
    """In a part of the run too, what is inside the calls adds up to what the functions' table says of them."""
    with browser.page() as page:
        opened(page, layered)
        page.drag("#strip-canvas", 0.0, 0.3)
        page.wait(PART)
        in_sight(page, "explain")
        page.run("[...document.querySelectorAll('#explain button')].find((b) => b.innerText === 'H5Dwrite').click()")
        calls = page.run(f"probe.column('{table('Tree of the calls inside', '')}', 1)")
        names = page.run(f"probe.texts('{table('Tree of the calls inside')} code')")
        assert names == ["H5Dwrite", "fwrite", "write"] and calls[0] == calls[1] == calls[2] > 0
        assert "calls of H5Dwrite is write's own (layer: system calls)." in text(page, "#explain .verdict-line")
        in_sight(page, "layers")
        by_name = dict(zip(page.run(f"probe.texts('{table('Functions')} code')"),
                           page.run(f"probe.column('{table('Functions', '')}', 2)"), strict=True))  # fmt: skip
        assert by_name["H5Dwrite"] == calls[0]
        in_sight(page, "explain")
        page.key("Escape")
        page.run("{ const s = document.querySelector('#explain select'); s.value = s.options[1].value;"
                 " s.dispatchEvent(new Event('change')); }")  # fmt: skip
        assert "calls of H5Dwrite" not in text(page, "#explain .verdict-line")
        assert page.run(f"probe.column('{table('Tree of the calls inside', '')}', 1)")[0] > 0


def test_the_heatmap_shows_a_category_and_what_each_process_comes_to(browser: Browser, layered: Path) -> None:
    with browser.page() as page:
        opened(page, layered)
        in_sight(page, "heatmap")
        totals = page.run("document.getElementById('heat-canvas').toDataURL()")
        options = page.run("[...document.querySelectorAll('#heatmap select')[1].options].map((o) => o.text)")
        assert options[0] == "the totals" and {"HDF5", "C", "POSIX"} <= set(options)
        page.run("{ const s = document.querySelectorAll('#heatmap select')[1]; s.value = 'of C';"
                 " s.dispatchEvent(new Event('change')); }")  # fmt: skip
        assert page.run("document.getElementById('heat-canvas').toDataURL()") != totals


def test_a_brushed_time_range_filters_every_view(browser: Browser, report: Path) -> None:
    with browser.page() as page:
        opened(page, report)
        before = shown(page)
        page.drag("#strip-canvas", 0.4, 0.45)
        page.wait(PART)
        after = shown(page)
        assert [s for s in SECTIONS if before[s] == after[s]] == []
        calls = int(page.run("probe.tile('Calls')").replace(",", ""))
        rows, processes = (
            page.run(f"probe.column('{table('Functions', '')}', 2)"),
            page.run("probe.column('#processes', 3)"),
        )
        assert 300_000 / 40 < calls < 300_000 / 10
        assert sum(rows) == sum(processes) == calls
        page.key("Escape")
        assert shown(page) == before
        page.drag("#heat-canvas", 0.5, 0.6)
        page.wait(PART)
        page.key("Escape")
        page.wait(f"!({PART})")
        page.drag("#timeline-canvas", 0.5, 0.6)
        page.wait(PART)


def test_the_timeline_goes_down_to_single_calls(browser: Browser, report: Path) -> None:
    with browser.page() as page:
        opened(page, report)
        in_sight(page, "timeline")
        assert page.run("document.getElementById('timeline-canvas').dataset.mode") == "sums"
        page.run("document.querySelector('#timeline .chips button').click()")
        page.wait("document.getElementById('timeline-canvas').dataset.mode === 'single'")
        assert "every one is drawn" in text(page, "#timeline-note")
        assert painted(page, "#timeline-canvas") >= 3
        assert "fsync" in text(page, "#timeline tbody")


def test_it_works_from_the_keyboard_alone(browser: Browser, report: Path) -> None:
    """Tab reaches the strip's handles, timeline, heatmap and tables; arrows, plus, Enter and Escape do their work."""
    with browser.page() as page:
        opened(page, report)
        reached = []
        for _ in range(160):
            page.send("Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9)
            page.send("Input.dispatchKeyEvent", type="keyUp", key="Tab", code="Tab", windowsVirtualKeyCode=9)
            reached.append(page.run("document.activeElement.id || document.activeElement.tagName"))
        assert {"theme", "help-open", "select-from", "select-to", "timeline-canvas", "heat-canvas"} <= set(reached)
        whole = text(page, "#selection-text")
        page.run("document.getElementById('select-from').focus()")
        for _ in range(3):
            page.key("ArrowRight")
        assert text(page, "#selection-text") != whole
        page.key("Escape")
        assert text(page, "#selection-text") == whole
        page.run("document.getElementById('timeline-canvas').focus()")
        page.key("+")
        zoomed = text(page, "#selection-text")
        page.key("ArrowLeft")
        assert whole != zoomed != text(page, "#selection-text")
        page.key("Escape")
        page.run("document.getElementById('heat-canvas').focus()")
        page.key("ArrowDown")
        page.key("ArrowRight")
        assert "worker" in text(page, "#heat-readout")
        page.key("Enter")
        assert text(page, "#selection-text") != whole
        page.key("?")
        assert page.run("document.getElementById('help').open")
        page.key("Escape")
        page.wait("!document.getElementById('help').open")
        page.key("6")
        assert page.run("document.activeElement.id") == "files"


@pytest.mark.parametrize("width", [400, 768, 1280, 2560])
def test_it_fits_every_width(browser: Browser, report: Path, width: int) -> None:
    """Nothing makes the page itself scroll sideways, and no canvas is drawn for another size than it has."""
    with browser.page(width) as page:
        opened(page, report)
        for section in SECTIONS:
            in_sight(page, section)
        assert page.run("document.documentElement.scrollWidth") <= width
        page.wait("probe.blurred() === 0")
        assert page.run("probe.outside()") == 0


@pytest.mark.parametrize("which", ["report", "layered"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault(browser: Browser, which: str, scheme: str, request: pytest.FixtureRequest) -> None:
    """axe-core's rules: names, roles, contrast, landmarks, keyboard."""
    with browser.page(1280, dark=scheme == "dark") as page:
        opened(page, request.getfixturevalue(which))
        for section in SECTIONS:
            in_sight(page, section)
        page.run("scrollTo(0, 0)")
        page.settle()
        page.run(readers.axe().read_text() + "; 0")
        assert page.run("probe.faults()") == []


def test_light_and_dark_follow_the_reader(browser: Browser, report: Path) -> None:
    with browser.page() as page:
        opened(page, report)
        in_sight(page, "heatmap")
        light, picture = page.run("probe.brightness()"), page.run("document.getElementById('heat-canvas').toDataURL()")
        page.scheme("dark")
        page.wait("probe.brightness() < 150")
        in_sight(page, "heatmap")
        assert light > 600
        assert page.run("document.getElementById('heat-canvas').toDataURL()") != picture
        page.run("document.getElementById('theme').click()")
        page.wait(f"probe.brightness() === {light}")


def test_hostile_names_are_shown_and_do_nothing(browser: Browser, layered: Path) -> None:
    with browser.page() as page:
        opened(page, layered)
        for section in SECTIONS:
            in_sight(page, section)
        assert page.run("window.hacked") is None
        assert page.run("probe.all('main img, main script, main iframe').length") == 0
        assert page.complaints() == [] and page.requests() == [layered.as_uri()]
        assert HOSTILE[0] in text(page, "h1")
        assert HOSTILE[1] in text(page, "#files tbody")
        # What would reorder or hide text is spelled out.
        everything = str(page.run("document.body.innerText"))
        assert "\\u202egnp.exe\\u0007\\u001b[31m" in everything
        assert not any(c in everything for c in "\u202e\x07\x1b")
        assert page.run("document.documentElement.scrollWidth") <= 1280


def test_the_process_tree_and_its_ends(browser: Browser, layered: Path) -> None:
    with browser.page() as page:
        opened(page, layered)
        in_sight(page, "processes")
        ends = page.run("probe.texts('#processes tbody td:last-child')")
        assert sorted(ends) == ["exit 1", "exit 3", "exit 4", "exit 5", "signal 9", "well", "well"]
        deep = page.run(
            "[...document.querySelectorAll('#processes .tree')].map((n) => n.style.getPropertyValue('--deep'))"
        )
        assert deep == ["0"] + ["1"] * 6


def test_layers_stand_below_each_other(browser: Browser, layered: Path) -> None:
    with browser.page() as page:
        opened(page, layered)
        in_sight(page, "layers")
        labels = page.run("probe.texts('.ladder dt')")
        assert labels == ["application", "libraries", "C library", "system calls"]
        # Each path goes down through all four: the job, a call of the program's own, H5Dwrite, fwrite, write.
        rows = page.run("probe.all('.icicle-cell').map((cell) => Number(cell.style.getPropertyValue('--row')))")
        assert sorted(set(rows)) == [0, 1, 2, 3, 4]
        page.run("probe.all('.icicle-cell')[0].focus()")
        page.key("ArrowDown")
        page.key("ArrowDown")
        assert "H5Dwrite" in text(page, ".icicle-detail")
        in_sight(page, "timeline")
        assert page.run("document.getElementById('timeline-canvas').dataset.mode") == "single"
        assert painted(page, "#timeline-canvas") >= 5


def test_what_the_kernel_did_elsewhere_is_told_apart(browser: Browser, tmp_path: Path) -> None:
    """A request at the device is in no call of a thread. Its lane says so, and so do its blocks in the icicle: one
    below the call that ran meanwhile, one at the top for when none ran.
    """
    with TraceWriter(tmp_path / "t.pfw") as trace:
        trace.opening()
        worker = trace.process(100, "writer")
        for turn in range(20):
            start = EPOCH_NS + turn * 10**6
            trace.call(worker, "fsync", start, 800_000, fhash=trace.file("/data/a"), ret=0)
            trace.call(worker, "block_rq", start + 400_000, 500_000, tid=10_000_000, cat="block", cause="request",
                       thread=100, ret=0)  # fmt: skip
        trace.closing(ended=EPOCH_NS // 1000 + 21_000)
    with browser.page() as page:
        opened(page, make_report(tmp_path / "t.pfw", tmp_path / "r.html"))
        in_sight(page, "layers")
        assert page.run("probe.texts('.icicle-cell.elsewhere')") == ["block_rq", "block_rq"]
        rows = page.run("probe.all('.icicle-cell.elsewhere').map((c) => c.style.getPropertyValue('--row')).sort()")
        assert rows == ["1", "2"]
        assert "by the kernel elsewhere" in page.run(
            "document.querySelector('.icicle-cell.elsewhere').getAttribute('aria-label')"
        )
        in_sight(page, "timeline")
        lanes = [" ".join(lane.split()) for lane in page.run("probe.texts('.tl-row.thread')")]
        assert lanes == ["thread 100", "kernel, for it 1"]
        in_sight(page, "explain")
        assert "by the kernel, elsewhere" in text(page, "#explain .call-tree")


def test_more_processes_than_rows(browser: Browser, tmp_path: Path) -> None:
    """The answer counts all of them, and names one of them; the others share a row."""
    with TraceWriter(tmp_path / "t.pfw.gz") as trace:
        trace.opening()
        for rank in range(300):
            process = trace.process(1000 + rank, "a.out", cmd=f"./a.out {rank}", start_ns=EPOCH_NS)
            trace.call(process, "pread64", EPOCH_NS + rank * 1000, 10**6 + rank, fhash=trace.file("/in"), ret=4096)
        trace.closing(ended=EPOCH_NS // 1000 + 2000)
    with browser.page() as page:
        opened(page, make_report(tmp_path / "t.pfw.gz", tmp_path / "r.html"))
        answer = text(page, "#answer")
        assert "of the time of 300 processes" in answer and "a.out 1299 1 call," in answer
        in_sight(page, "heatmap")
        assert painted(page, "#heat-canvas") >= 3
        in_sight(page, "layers")
        [category] = page.run(f"probe.texts('{table('Time and bytes by category')}')")
        assert "1 ms, 77 %" in category  # the mean of 300 processes, and its share of the run
        in_sight(page, "files")
        assert page.run(f"probe.column('{table('Files', '')}', 7)") == [300]
        in_sight(page, "processes")
        assert "other processes" in str(page.run("document.querySelector('#processes .more').click() ?? "
                                                 "document.querySelector('#processes').innerText"))  # fmt: skip
        assert page.complaints() == []


def test_it_prints_on_white_without_controls(browser: Browser, report: Path) -> None:
    with browser.page(1280, dark=True) as page:
        opened(page, report)
        pdf = page.send("Page.printToPDF", printBackground=True)["data"]
        assert len(pdf) > 100_000
        page.run("dispatchEvent(new Event('beforeprint'))")
        page.send("Emulation.setEmulatedMedia", media="print", features=[])
        page.settle()
        assert page.run("document.documentElement.dataset.theme") == "light"
        assert page.run("getComputedStyle(document.querySelector('.sections')).display") == "none"
        assert painted(page, "#heat-canvas") >= 3 and painted(page, "#timeline-canvas") >= 3
        # What can be clicked is gone, but for parts of drawings and heads of tables, which are text there.
        left = "probe.all('main button').filter((b) => b.getClientRects().length && !b.closest('.icicle, .tl')).length"
        assert page.run(left) == 0


def test_a_picture_is_made_and_missed_by_nobody(report: Path, tmp_path: Path) -> None:
    """scripts/screenshot.py, which the demo calls: without a browser it says so, and that is no failure."""
    script, picture = Path(__file__).parents[2] / "scripts" / "screenshot.py", tmp_path / "p.png"
    command = [sys.executable, script, report, picture, "explain"]
    without = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True)
    assert "no chromium" in without.stderr and not picture.exists()
    assert subprocess.run(command, capture_output=True, text=True, check=True).stderr == ""
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_trace_without_calls_says_so(browser: Browser, tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.pfw") as trace:
        trace.opening()
        trace.closing(ended=EPOCH_NS // 1000)
    with browser.page() as page:
        opened(page, make_report(tmp_path / "t.pfw", tmp_path / "r.html"))
        for section in SECTIONS:
            in_sight(page, section)
        assert page.complaints() == []
        assert page.run("probe.all('.empty').length") >= 5


def test_a_profile_has_all_sums_and_no_single_calls(browser: Browser, tmp_path: Path) -> None:
    """Every view opens, without a complaint, and says where a profile has nothing to show."""
    with TraceWriter(tmp_path / "t.pfw.gz") as trace:
        trace.opening(mode="profile")
        for rank in range(3):
            process = trace.process(100 + rank, f"rank{rank}")
            for second in range(20):
                start = EPOCH_NS + second * 10**9 + rank * 10**6
                trace.added_up(process, "read", start, {2000: 100, 300_000: 7}, fhash=trace.file(f"/data/{rank}"),
                               moved=4096 * 107, interval=second)  # fmt: skip
        trace.closing(ended=EPOCH_NS // 1000 + 20 * 10**6)
    report = make_report(tmp_path / "t.pfw.gz", tmp_path / "report.html")
    with browser.page() as page:
        opened(page, report)
        for section in SECTIONS:
            in_sight(page, section)
        assert page.run("probe.tile('Calls')").replace(",", "") == str(3 * 20 * 107)
        assert "only added up" in text(page, "#explain") and "only added up" in text(page, "#glance, #complete")
        assert painted(page, "#heatmap canvas") > 1 and "/data/1" in text(page, "#files")
        assert page.run("probe.all('#latency td canvas').length") == 1
        assert not page.complaints()
