"""The document as one HTML text that needs nothing else.

The page's styles and scripts are the files of analysis/web/. Its content-security policy names them by their hashes and
allows nothing besides: no other script, no style, no request to anywhere. What comes from a trace stands in an element
that is no script, in which `<` is written as an escape, so that no text of it can end the element.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib.resources import files
from typing import Any, Final

STYLES: Final = ("base.css", "layout.css", "views.css", "print.css")
SCRIPTS: Final = (
    "unpack.js", "units.js", "dom.js", "model.js", "selection.js", "canvas.js", "overview.js", "answer.js",
    "layers.js", "modules.js", "functions.js", "timeline.js", "heatmap.js", "latency.js", "sizes.js", "files.js",
    "places.js", "processes.js", "findings.js", "inside.js", "explain.js", "header.js", "main.js",
)  # fmt: skip
"""In this order: each uses those before it."""
_POLICY: Final = "default-src 'none'; style-src {style}; script-src {script}; base-uri 'none'; form-action 'none'"


def render(document: dict[str, Any], title: str) -> str:
    """The whole page.

    Args:
        document: what document.py made.
        title: for the browser's tab; may be anything.
    """
    style = "\n".join(_asset(name) for name in STYLES)
    script = '(() => {\n"use strict";\n' + "\n".join(_asset(name) for name in SCRIPTS) + "\n})();"
    policy = _POLICY.format(style=_source(style), script=_source(script))
    parts = {
        "POLICY": html.escape(policy),
        "TITLE": html.escape("".join(c if c.isprintable() else " " for c in title)),
        "STYLE": style,
        "SCRIPT": script,
        "DOCUMENT": _inert(document),
    }
    pieces = _asset("page.html").split("@@")
    return "".join(parts[piece] if number % 2 else piece for number, piece in enumerate(pieces))


def _asset(name: str) -> str:
    return (files("datacrumbs.analysis") / "web" / name).read_text("utf-8")


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return f"'sha256-{digest}'"


def _inert(document: dict[str, Any]) -> str:
    """JSON of ASCII characters without the three that mean something to HTML."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
