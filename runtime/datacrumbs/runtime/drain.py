"""The C thread that turns a ring's records into a trace, seen from Python."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from datacrumbs.core import jsontext
from datacrumbs.core.errors import InternalError
from datacrumbs.core.probes import Probe, ProbeSet, Syscall
from datacrumbs.runtime import formats
from datacrumbs.runtime._native import ffi, lib
from datacrumbs.runtime.profiling import Tables
from datacrumbs.runtime.programs import SLOT


@dataclass(frozen=True, slots=True)
class Stats:
    """What a drain has done so far."""

    captured: int
    """Calls and regions taken from the ring."""
    malformed: int
    unnamed: int
    """Calls on files beyond `max_files`."""
    lines_written: int
    lines_unwritten: int
    bytes_text: int
    bytes_file: int
    overflowed: int
    """Profiled calls for whose process and file there was no room."""
    profile_error: int
    """errno of a profile that could not be read; 0: none."""
    last_error: int
    """errno of the last failed write; 0 where none failed."""


class Drain:
    """Owns the trace's descriptor from the start; a context manager that ends the trace.

    Args:
        ring: descriptor of the ring buffer map.
        trace: descriptor of the trace; it belongs to the drain, whatever happens.
        probes: what the ids in the records mean.
        host: host hash.
        max_files: how many files' names to keep.
        epoch: what to add to CLOCK_MONOTONIC, ns.
        profile: the tables of profile mode.
    """

    def __init__(
        self, ring: int, trace: int, probes: ProbeSet, host: int, max_files: int, epoch: int, profile: Tables
    ) -> None:
        self._keep: list[Any] = []
        table = ffi.new("struct dc_format[]", [self._format(probe) for probe in probes.probes])
        self._keep.append(table)
        options = ffi.new(
            "struct dc_drain_options *",
            {
                "trace": trace,
                "ring": ring,
                "formats": table,
                "format_count": len(probes.probes),
                "epoch": epoch,
                "host": host,
                "max_files": max_files,
                "nested": any(not isinstance(probe.target, Syscall) for probe in probes.probes),
                "profile": {
                    "tables": profile.slots,
                    "slot": 2 * SLOT,
                    "pair": profile.pair,
                    "overflow": profile.overflow,
                    "keys": profile.keys,
                    "functions": profile.functions,
                    "interval": profile.interval_ns,
                },
            },
        )
        self._drain = lib.dc_drain_create(options)
        if self._drain == ffi.NULL:
            os.close(trace)
            raise InternalError(f"cannot make the drain: {os.strerror(ffi.errno)}", "free some memory")

    def __enter__(self) -> Drain:
        return self

    def __exit__(self, *_: object) -> None:
        lib.dc_drain_destroy(self._drain)

    def write(self, lines: Iterable[dict[str, Any]]) -> None:
        """Writes lines of our own, before `start` or after `stop`."""
        for line in lines:
            text = jsontext.dump(line) + b"\n"
            lib.dc_drain_write_line(self._drain, text, len(text))

    def start(self) -> None:
        """Starts the thread."""
        error = lib.dc_drain_start(self._drain)
        if error:
            raise InternalError(f"cannot start a thread: {os.strerror(error)}", "raise the limit on processes")

    def stop(self) -> None:
        """Takes what is left in the ring and ends the thread."""
        lib.dc_drain_stop(self._drain)

    def finish(self) -> None:
        """Ends the trace, on its device; the stats are final after this."""
        lib.dc_drain_finish(self._drain)

    def stats(self) -> Stats:
        """A snapshot."""
        raw = ffi.new("struct dc_drain_stats *")
        lib.dc_drain_read_stats(self._drain, raw)
        sink = raw.sink
        return Stats(
            raw.captured,
            raw.malformed,
            raw.unnamed,
            sink.lines_written,
            sink.lines_unwritten,
            sink.bytes_text,
            sink.bytes_file,
            raw.overflowed,
            raw.profile_error,
            sink.last_error,
        )

    def _format(self, probe: Probe) -> dict[str, Any]:
        """The words around the values, made once."""
        head, extra, names = formats.words(probe)
        rest, name_text = formats.own_name(probe)
        return formats.numbers(probe) | {
            "quoted": self._text(jsontext.dump(probe.name)),
            "head": self._text(head),
            "rest": self._text(rest) if rest else ffi.NULL,
            "name_text": name_text,
            "extra": self._text(extra),
            "arguments": [self._text(name) for name in names] + [ffi.NULL] * (lib.DC_MAX_ARGS - len(names)),
            "room": len(head) + len(extra) + sum(map(len, names)),
        }

    def _text(self, text: bytes) -> Any:
        buffer = ffi.new("char[]", text)
        self._keep.append(buffer)
        return buffer
