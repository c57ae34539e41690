"""What each view of the report shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import Browser
from reports import PART, in_sight, make_report, opened, painted, table, text
from tracegen import EPOCH_NS, TraceWriter

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


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
