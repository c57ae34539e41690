"""How every command starts and ends: one place that prints errors and chooses the exit code."""

from __future__ import annotations

import _thread
import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from datacrumbs.core.errors import DataCrumbsError, UsageError
from datacrumbs.core.start import EXIT_INTERRUPTED
from datacrumbs.core.text import printable


class ArgumentParser(argparse.ArgumentParser):
    """An argument parser whose mistakes are reported like every other error of DataCrumbs."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise UsageError(message, f"see '{self.prog} --help'")


def parser(prog: str, description: str, example: str) -> ArgumentParser:
    """An `ArgumentParser` whose help ends with an example.

    Args:
        prog: the command's public name.
        description: one paragraph on what it does.
        example: command lines that work as typed.
    """
    return ArgumentParser(
        prog=prog,
        description=description,
        epilog="example:\n" + "\n".join(f"  {line}" for line in example.strip().splitlines()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def main(prog: str, run: Callable[[Sequence[str]], int], argv: Sequence[str] | None = None) -> int:
    """Runs a command and turns whatever it raises into one line on stderr and an exit code.

    Args:
        prog: the command's public name, the prefix of its messages.
        run: the command: takes the arguments after the program's name, returns the exit code.
        argv: the arguments; default: those of the process.

    Returns:
        The exit code: what `run` returned, the error's own code, or 130 after Ctrl-C.
    """
    try:
        with _interrupts(last=argv is None) as interrupted:
            return _run(prog, run, sys.argv[1:] if argv is None else argv, interrupted)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _run(prog: str, run: Callable[[Sequence[str]], int], argv: Sequence[str], interrupted: threading.Event) -> int:
    try:
        return run(argv)
    except DataCrumbsError as error:
        if interrupted.is_set():
            return EXIT_INTERRUPTED
        report(prog, error)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away, as in `datacrumbs_analyze … | head`: nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if interrupted.is_set():  # a library (DuckDB) made an error of its own of the interrupt
            return EXIT_INTERRUPTED
        if os.environ.get("DATACRUMBS_DEBUG"):
            raise
        unexpected = DataCrumbsError(
            f"unexpected {type(error).__name__}: {error}",
            "please report it with the output of the same command under DATACRUMBS_DEBUG=1",
        )
        report(prog, unexpected)
        return unexpected.exit_code


@contextmanager
def _interrupts(*, last: bool) -> Iterator[threading.Event]:
    """Remembers that Ctrl-C was pressed, whatever becomes of the KeyboardInterrupt that it raises.

    A library may turn it into another exception, and Python drops one that is raised while an object is destroyed; such
    a one is raised again. Where somebody else handles SIGINT, or in another thread than the first, nothing changes.

    Args:
        last: nothing but Python's own end follows, which would answer an interrupt with a traceback: from then on
            there is none.
    """
    pressed = threading.Event()
    handled = threading.current_thread() is threading.main_thread() and (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if not handled:
        yield pressed
        return
    unraisable = sys.unraisablehook

    def remember(number: int, frame: FrameType | None) -> None:
        pressed.set()
        signal.default_int_handler(number, frame)

    def again(what: sys.UnraisableHookArgs) -> None:
        if issubclass(what.exc_type, KeyboardInterrupt):
            _thread.interrupt_main()
        else:
            unraisable(what)

    signal.signal(signal.SIGINT, remember)
    sys.unraisablehook = again
    try:
        yield pressed
    finally:
        sys.unraisablehook = unraisable
        if signal.getsignal(signal.SIGINT) is remember:
            signal.signal(signal.SIGINT, signal.SIG_IGN if last else signal.default_int_handler)


def report(prog: str, error: DataCrumbsError) -> None:
    """Prints an error as one line on stderr; control characters in it are made visible."""
    hint = f"; {error.hint}" if error.hint else ""
    print(f"{prog}: error: {printable(error.message)}{printable(hint)} [{error.who}]", file=sys.stderr)
