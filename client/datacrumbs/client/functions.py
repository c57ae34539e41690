"""Every call of a Python function as a region: for interpreters without USDT probes, and without root.

with functions(within=["/home/alice/model"]):
train()

or, for a program as it is:

python3 -m datacrumbs.client.functions train.py --epochs 3

From Python 3.12 on, sys.monitoring tells of calls (PEP 669) and forgets functions that are not wanted after their first
call; before that sys.setprofile does, which every call of every function pays for.
"""

from __future__ import annotations

import argparse
import os
import runpy
import sys
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any, Final

from datacrumbs.client.regions import region

_TOOL: Final = 3
"""One of the ids that PEP 669 leaves to anybody."""


class functions:  # noqa: N801  # reads as a word of the language: `with functions():`
    """Makes each call of a Python function a region for the length of a block, in threads that start meanwhile too.

    Generators and coroutines have a region for each time that they run. Nothing is traced unless the process is
    followed; the cost is there in any case (docs/following.md).

    Args:
        within: folders; functions of files below them count. Without any, those of the program's own folder.
    """

    def __init__(self, within: Iterable[str | os.PathLike[str]] = ()) -> None:
        folders = [Path(folder).resolve() for folder in within] or [_own_folder()]
        self._folders = tuple(f"{folder}/" for folder in folders)
        self._wanted: dict[CodeType, bool] = {}
        self._threads = threading.local()

    def __enter__(self) -> functions:
        if hasattr(sys, "monitoring"):
            self._monitor(sys.monitoring)
        else:
            threading.setprofile(self._profile)
            sys.setprofile(self._profile)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if hasattr(sys, "monitoring"):
            sys.monitoring.set_events(_TOOL, 0)
            sys.monitoring.free_tool_id(_TOOL)
        else:
            sys.setprofile(None)
            threading.setprofile(None)
        while self._open():
            self._end()

    def _monitor(self, monitoring: Any) -> None:
        monitoring.use_tool_id(_TOOL, "datacrumbs")
        events = monitoring.events

        def begin(code: CodeType, _: int) -> object:
            return self._begin(code) or monitoring.DISABLE

        def end(code: CodeType, *_: object) -> object:
            if self._is_wanted(code):
                self._end()
                return None
            return monitoring.DISABLE

        def unwind(code: CodeType, *_: object) -> None:  # events of exceptions cannot be switched off one by one
            if self._is_wanted(code):
                self._end()

        def throw(code: CodeType, *_: object) -> None:
            self._begin(code)

        for event in (events.PY_START, events.PY_RESUME):
            monitoring.register_callback(_TOOL, event, begin)
        for event in (events.PY_RETURN, events.PY_YIELD):
            monitoring.register_callback(_TOOL, event, end)
        monitoring.register_callback(_TOOL, events.PY_UNWIND, unwind)
        monitoring.register_callback(_TOOL, events.PY_THROW, throw)
        monitoring.set_events(
            _TOOL,
            events.PY_START
            | events.PY_RESUME
            | events.PY_RETURN
            | events.PY_YIELD
            | events.PY_UNWIND
            | events.PY_THROW,
        )

    def _profile(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            self._begin(frame.f_code)
        elif event == "return" and self._is_wanted(frame.f_code):
            self._end()

    def _is_wanted(self, code: CodeType) -> bool:
        wanted = self._wanted.get(code)
        if wanted is None:
            file = code.co_filename  # "<string>" is no file
            named = file not in (__file__, "") and file[0] != "<"
            wanted = self._wanted[code] = named and str(Path(file).resolve()).startswith(self._folders)
        return wanted

    def _open(self) -> list[region]:
        try:
            return self._threads.regions  # type: ignore[no-any-return]
        except AttributeError:
            self._threads.regions = []
            return self._threads.regions  # type: ignore[no-any-return]

    def _begin(self, code: CodeType) -> bool:
        if not self._is_wanted(code):
            return False
        opened = region(code.co_qualname, file=code.co_filename, line=code.co_firstlineno)
        self._open().append(opened)
        opened.__enter__()
        return True

    def _end(self) -> None:
        opened = self._open()
        if opened:  # a function that began before us may end now
            opened.pop().__exit__(None, None, None)


def _own_folder() -> Path:
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    return Path(main).resolve().parent if main else Path.cwd()


def main(argv: Sequence[str] | None = None) -> None:
    """Runs a program with its functions as regions."""
    parser = argparse.ArgumentParser(
        prog="python3 -m datacrumbs.client.functions", description="Run a Python program with its functions as regions."
    )
    parser.add_argument("--within", metavar="FOLDER", action="append", help="which functions (default: its own)")
    parser.add_argument("program", metavar="PROGRAM.py")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args(argv)
    folder = str(Path(options.program).resolve().parent)
    sys.argv = [options.program, *options.arguments]
    sys.path[0] = folder
    with functions(options.within or [folder]):
        runpy.run_path(options.program, run_name="__main__")


if __name__ == "__main__":
    main()
