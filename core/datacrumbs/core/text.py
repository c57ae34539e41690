"""Text that came from outside, made safe to print."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with control characters, line ends and lone surrogates shown as escapes, so that it stays one line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
