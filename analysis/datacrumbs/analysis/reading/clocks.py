"""How far the clocks of several hosts may be apart: each trace says what its kernel knew of its own.

Nothing is corrected: what the kernel says is a bound, and not by how much a clock is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from datacrumbs.analysis.reading.catalog import Run
from datacrumbs.analysis.units import duration

_STEP_US: Final = 1000
"""Steps that are worth a word: what is shorter, a clock's reading may take."""


@dataclass(frozen=True, slots=True)
class Clock:
    """What the traces of one host say of its clock."""

    host: str
    synchronized: bool | None
    """Whether a time service kept it; None: not known."""
    max_error_us: int | None
    """How far it may have been off at most, as its kernel said; None: not known."""
    step_us: int
    """By how much it was set forward during a run, whose moments are of the clock as it was when the run began."""


def clocks(runs: Iterable[Run]) -> tuple[Clock, ...]:
    """The clocks of all hosts; of several runs on one, the worst is told."""
    found: dict[str, Clock] = {}
    for run in runs:
        host, error = str(run.opening.get("host") or ""), run.opening.get("clock_max_error_us")
        now = Clock(
            host, run.opening.get("clock_synchronized"), error if error is not None and error >= 0 else None,
            run.closing.get("clock_step_us") or 0,
        )  # fmt: skip
        found[host] = _worse(found[host], now) if host in found else now
    return tuple(found[host] for host in sorted(found))


def _worse(one: Clock, other: Clock) -> Clock:
    said = one.synchronized is not None and other.synchronized is not None
    synchronized = one.synchronized and other.synchronized if said else None
    errors = (one.max_error_us, other.max_error_us)
    known = [error for error in errors if error is not None]
    most = max(known) if len(known) == len(errors) else None
    return Clock(one.host, synchronized, most, max(one.step_us, other.step_us, key=abs))


def sentence(clocks: Sequence[Clock]) -> tuple[str, bool]:
    """What a reader should know of them, which may be nothing, and whether it should make him careful."""
    said = [
        f"that of {clock.host} was set {'forward' if clock.step_us > 0 else 'back'} by "
        f"{duration(1000 * abs(clock.step_us))} while it was traced"
        for clock in clocks
        if abs(clock.step_us) >= _STEP_US
    ]
    careful = bool(said)
    if len(clocks) > 1:
        loose = [clock.host for clock in clocks if clock.synchronized is False]
        errors = sorted(clock.max_error_us for clock in clocks if clock.max_error_us is not None)
        if loose:
            careful = True
            others = f" and of {len(loose) - 1} more" if len(loose) > 1 else ""
            said.append(f"that of {loose[0]}{others} is not synchronised: moments of different hosts may be far apart")
        elif len(errors) < len(clocks):
            said.append("how far moments of different hosts are apart is not known")
        else:
            apart = duration(1000 * sum(errors[-2:]))
            said.append(f"moments of different hosts are {apart} apart at most, as their kernels say")
    return "; ".join(said), careful
