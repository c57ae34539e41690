"""Figures, their targets and verdicts, and the table that shows them."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement. Without a target it is shown for comparison."""

    name: str
    measured: float | None
    """None: could not be measured here; `note` says why."""
    unit: str = ""
    most: float | None = None
    """The target: at most this much."""
    least: float | None = None
    """The target: at least this much."""
    note: str = ""

    @property
    def verdict(self) -> str:
        """One of "met", "MISSED" and "not measured", or nothing where there is no target."""
        if self.measured is None:
            return "not measured"
        if self.most is None and self.least is None:
            return ""
        met = (self.most is None or self.measured <= self.most) and (self.least is None or self.measured >= self.least)
        return "met" if met else "MISSED"

    @property
    def failed(self) -> bool:
        """Whether a target is missed, or could not even be measured."""
        has_target = self.most is not None or self.least is not None
        return has_target and self.verdict != "met"

    @property
    def target(self) -> str:
        if self.most is not None:
            return f"≤ {_number(self.most)} {self.unit}".rstrip()
        if self.least is not None:
            return f"≥ {_number(self.least)} {self.unit}".rstrip()
        return ""


def _number(value: float) -> str:
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.2f}" if abs(value) < 20 else f"{value:,.0f}"


def show(figures: Iterable[Figure]) -> None:
    """Prints the table to standard output."""
    table = Table(title="DataCrumbs: figures and targets")
    table.add_column("figure", overflow="fold")
    for name in ("target", "measured"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict")
    table.add_column("note", overflow="fold")
    styles = {"met": "green", "MISSED": "bold red", "not measured": "yellow"}
    for figure in figures:
        measured = "" if figure.measured is None else f"{_number(figure.measured)} {figure.unit}".rstrip()
        verdict = figure.verdict
        style = styles.get(verdict)
        styled = f"[{style}]{verdict}[/{style}]" if style else verdict
        table.add_row(figure.name, figure.target, measured, styled, figure.note)
    Console(width=None if os.isatty(1) else 160).print(table)


def write_json(path: Path, figures: Iterable[Figure]) -> None:
    """Writes the figures for scripts; the file appears whole."""
    document = {
        "machine": {
            "kernel": platform.release(),
            "processors": os.cpu_count(),
            "architecture": platform.machine(),
        },
        "figures": [{**asdict(f), "verdict": f.verdict} for f in figures],
    }
    beside = path.with_name(path.name + ".new")
    with beside.open("w") as stream:
        json.dump(document, stream, indent=1, ensure_ascii=False)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)
