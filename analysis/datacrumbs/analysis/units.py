"""Numbers as people read them: three figures that matter, and the unit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_TIMES: Final = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"), (1, "ns"))
_SIZES: Final = ((1 << 50, "PiB"), (1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))


def duration(ns: int) -> str:
    """A time in nanoseconds: "4.21 µs", "63.8 s", "2 h 05 min"."""
    if ns >= 3600 * _TIMES[0][0]:
        minutes = round(ns / (60 * _TIMES[0][0]))
        return f"{minutes // 60} h {minutes % 60:02} min"
    return _scaled(ns, _TIMES)


def size(amount: int) -> str:
    """A number of bytes: "64 MiB", "0 B"."""
    return _scaled(amount, _SIZES)


def bandwidth(per_second: float) -> str:
    """Bytes per second: "1.45 GiB/s"."""
    return f"{_scaled(round(per_second), _SIZES)}/s"


def count(number: int) -> str:
    """A number of things, its thousands apart: "1,000,000"."""
    return f"{number:,}"


def moment(us: int) -> str:
    """A time in microseconds since 1970, in UTC: "2026-11-22 14:08:34 UTC"."""
    return datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _scaled(number: int, units: tuple[tuple[int, str], ...]) -> str:
    factor, unit = next((pair for pair in units if number >= pair[0]), units[-1])
    value = number / factor
    if number % factor == 0:
        return f"{number // factor} {unit}"
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {unit}"
