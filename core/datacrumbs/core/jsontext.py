"""JSON that others wrote, bounded before it is parsed."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from datacrumbs.core.errors import DataError

MAX_DEPTH: Final = 16
MAX_VALUES: Final = 2_000_000

_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def parse(data: bytes, name: str, *, most_bytes: int, most_values: int = MAX_VALUES) -> Any:
    """Parses JSON whose size, depth and number of values are checked first.

    Duplicate members, NaN and texts that are no Unicode are refused: two readers could see two documents in them.

    Args:
        data: the text.
        name: what it is, for messages.
        most_bytes: the limit on its length.
        most_values: the limit on its values.

    Raises:
        DataError: it is not such JSON.
    """
    if len(data) > most_bytes:
        raise DataError(f"{name} is larger than {most_bytes} bytes")
    bare = _STRING.sub(b"", data)
    if bare.count(b",") + bare.count(b"[") + bare.count(b"{") > most_values:
        raise DataError(f"{name} holds more than {most_values} values")
    _check_depth(bare.translate(None, _NOT_BRACKETS), name)
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
        if _SURROGATE.search(data):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name} is not JSON: {error}") from error
    return value


def dump(value: Any) -> bytes:
    """A value as JSON on one line, always the same for the same value."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8")


def _check_depth(brackets: bytes, name: str) -> None:
    depth = 0
    for bracket in brackets:
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise DataError(f"{name} is nested deeper than {MAX_DEPTH} levels")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is there twice")
    return members


def _constant(word: str) -> Any:
    raise ValueError(f"{word} is no number")
