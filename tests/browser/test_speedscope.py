"""speedscope itself, in a browser, opens what `export --to speedscope` writes, and reckons as we do."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
import readers
from browser import Browser
from datacrumbs.analysis import command
from tracegen import EPOCH_NS, TraceWriter

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]
HOSTILE = '</script><img src=x onerror="window.hacked=1">'
SANDWICH = "3"
"""The key for the view that has a table of all functions."""
ROWS = "[...document.querySelectorAll('table tr')].map((row) => [...row.cells].map((cell) => cell.innerText))"


def opened(export: Path, folder: Path) -> list[dict[str, list[str]]]:
    """What speedscope shows of each profile in the file: its title, and by function its total and own time."""
    index = readers.speedscope()
    if index is None:
        pytest.skip("no npm, from which speedscope comes")
    # As its command hands over a file: https://github.com/jlfwong/speedscope/blob/main/bin/cli.mjs
    script = folder / "load.js"
    data = base64.b64encode(export.read_bytes()).decode()
    script.write_text(f'speedscope.loadFileFromBase64("{export.name}", "{data}")')
    found = []
    with Browser() as browser, browser.page() as page:
        page.send("Page.navigate", url=f"{index.as_uri()}#localProfilePath={script}")
        page.wait("/\\(1\\/\\d+\\)/.test(document.title) || /\\(1\\/\\d+\\)/.test(document.body?.innerText)")
        page.key(SANDWICH)
        number = int(page.run("document.body.innerText.match(/\\(1\\/(\\d+)\\)/)[1]"))
        for one in range(1, number + 1):
            page.wait(f"document.body.innerText.includes('({one}/{number})') && document.querySelector('table tr')")
            page.settle()
            rows: list[Any] = page.run(ROWS)
            at = next(number for number, row in enumerate(rows) if row[2:] == ["Symbol Name"])
            title = page.run(f"document.body.innerText.match(/^(.*) \\({one}\\/{number}\\)/m)[1]")
            cells = {row[2]: [re.sub(r" *\(.*", "", cell) for cell in row[:2]] for row in rows[at + 1 :]}
            found.append({"title": [title], **cells})
            page.key("n")
        assert page.run("window.hacked") is None
        # A browser without a graphics card says so.
        assert not [text for text in page.complaints() if "WebGL" not in text]
    return found


def test_speedscope_opens_it(tmp_path: Path) -> None:
    trace = tmp_path / "t.pfw.gz"
    with TraceWriter(trace) as out:
        process = out.process(7, "app")
        out.call(process, "write", EPOCH_NS + 2000, 3000, ts_ns=0)
        out.call(process, "fwrite", EPOCH_NS, 10_000, cat="C", ts_ns=0)
        out.call(process, HOSTILE, EPOCH_NS + 20_000, 2000, cat="C", ts_ns=0)
        out.call(out.process(8, HOSTILE), "write", EPOCH_NS, 500, ts_ns=0)
    export = tmp_path / "flame.json"
    assert command.run(["export", str(trace), "--to", "speedscope", "-o", str(export)]) == 0
    everything, first, second = opened(export, tmp_path)
    # Total and own time.
    assert everything == {
        "title": ["all processes"], "fwrite": ["10.00µs", "7.00µs"], "write": ["3.50µs", "3.50µs"],
        HOSTILE: ["2.00µs", "2.00µs"],
    }  # fmt: skip
    assert first == {
        "title": ["app 7 on node1"], "fwrite": ["10.00µs", "7.00µs"], "write": ["3.00µs", "3.00µs"],
        HOSTILE: ["2.00µs", "2.00µs"],
    }  # fmt: skip
    assert second == {"title": [f"{HOSTILE} 8 on node1"], "write": ["500.00ns", "500.00ns"]}
