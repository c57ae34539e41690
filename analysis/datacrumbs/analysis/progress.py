"""Progress of what takes longer than a second, on a terminal only: a bar for bytes, and the steps of an answer."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import Final, Protocol

DELAY: Final = 1.0
"""Seconds before a bar appears: what is done by then needs none."""


class Progress(Protocol):
    """Takes what was done, in the unit of the total; called from any thread."""

    def __call__(self, amount: int, /) -> None: ...


def silent(amount: int, /) -> None:
    """Progress that nobody looks at."""


@contextlib.contextmanager
def bar(title: str, total: int) -> Iterator[Progress]:
    """A bar on stderr that appears after `DELAY`; nothing where stderr is no terminal.

    Args:
        title: what is being done, such as "reading".
        total: bytes to do.
    """
    if not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as RichProgress

    columns = (TextColumn(title), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    display = RichProgress(*columns, console=Console(stderr=True), transient=True)
    task = display.add_task(title, total=total)
    begun = time.monotonic()
    lock = threading.Lock()

    def advance(amount: int, /) -> None:
        with lock:
            if not display.live.is_started and time.monotonic() - begun > DELAY:
                display.start()
        display.advance(task, amount)

    try:
        yield advance
    finally:
        display.stop()


class Steps(Protocol):
    """Takes the name of what is done next; the steps before it are over."""

    def __call__(self, name: str, /) -> None: ...


def unseen(name: str, /) -> None:
    """Steps that nobody looks at."""


@contextlib.contextmanager
def steps(title: str, total: int) -> Iterator[Steps]:
    """What is being done, how far it is, and for how long, on stderr after `DELAY`; nothing where that is no terminal.

    Args:
        title: what all of it is, such as "report".
        total: how many steps there are.
    """
    if not sys.stderr.isatty():
        yield unseen
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichProgress

    text = TextColumn("{task.description}", markup=False)
    columns = (SpinnerColumn(), text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    display = RichProgress(*columns, console=Console(stderr=True), transient=True)
    task = display.add_task(title, total=total)
    # A step of its own may take longer than the delay, and says nothing meanwhile.
    timer = threading.Timer(DELAY, display.start)
    timer.daemon = True
    begun = False

    def next_step(name: str, /) -> None:
        nonlocal begun
        display.update(task, description=f"{title}: {name}", advance=1 if begun else 0)
        begun = True

    timer.start()
    try:
        yield next_step
    finally:
        timer.cancel()
        timer.join()
        display.stop()


@contextlib.contextmanager
def working(title: str) -> Iterator[None]:
    """A sign on stderr that something is still being done, after `DELAY`; nothing where stderr is no terminal.

    Args:
        title: what is being done, such as "adding up".
    """
    if not sys.stderr.isatty():
        yield
        return
    lock, shown = threading.Lock(), contextlib.ExitStack()
    over = threading.Event()

    def show() -> None:
        from rich.console import Console
        from rich.progress import Progress as RichProgress
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (TextColumn(title), SpinnerColumn(), TimeElapsedColumn())
        display = RichProgress(*columns, console=Console(stderr=True), transient=True)
        display.add_task(title, total=None)
        with lock:
            if not over.is_set():
                shown.enter_context(display)

    timer = threading.Timer(DELAY, show)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        over.set()
        with lock:
            shown.close()
