"""Named regions and the switch for this process, for Python programs."""

from __future__ import annotations

import functools
import inspect
import numbers
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

from datacrumbs.client._client import ffi, lib

if TYPE_CHECKING:
    from datacrumbs.client._client import Region

P = ParamSpec("P")
T = TypeVar("T")

_REGION = ffi.typeof("struct datacrumbs_region *")
# The plain types come first: asking the abstract ones takes longer than the marker itself.
_INTEGERS = (int, numbers.Integral)
_NUMBERS = (int, float, numbers.Real)


def start(run_id: str = "") -> None:
    """Follows this process from now on: all its threads, and whatever they start.

    Args:
        run_id: only into this run's trace; the empty text stands for any run of this user.
    """
    lib.datacrumbs_start(_bytes(run_id))


def stop() -> None:
    """Stops following this process; children that are followed already stay so."""
    lib.datacrumbs_stop()


class region:  # noqa: N801  # reads as a word of the language: `with region("epoch 3"):`
    """A named span in the trace: as a context manager, or as the decorator of a function or coroutine function.

        with region("epoch", step=3) as epoch:
            epoch.add(loss=train())

        @region("load batch")
        def load(): ...

    Regions of one thread nest as their blocks do. One that an exception leaves is in the trace too. It costs about
    two microseconds, and nobody needs to listen. Name and arguments together have room for 1,016 bytes: an argument
    that does not fit is left out, a longer name is cut.

    Args:
        name: what the trace shows.
        arguments: shown with it: numbers as numbers, anything else as its `str`.
    """

    __slots__ = ("_arguments", "_name", "_open")

    def __init__(self, name: str, /, **arguments: object) -> None:
        self._name = _bytes(name)
        self._arguments = arguments

    def __enter__(self) -> region:
        self._open = ffi.new(_REGION)
        lib.datacrumbs_region_begin(self._open, self._name)
        self.add(**self._arguments)
        return self

    def add(self, **arguments: object) -> None:
        """Gives the open region more arguments: what is known only at its end."""
        for key, value in arguments.items():
            try:
                _append(self._open, _bytes(key), value)
            except Exception:  # noqa: S112  # a value that cannot be shown is no reason to stop the program
                continue

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        lib.datacrumbs_region_end(self._open)

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        """Makes every call of the function a region; of a coroutine function, until it is done.

        Raises:
            TypeError: it is a generator function, whose call ends before its work begins.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError("region: a generator runs after its call: use 'with region(…)' inside of it")
        name, arguments = self._name.decode(), self._arguments

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            with region(name, **arguments):
                return function(*args, **kwargs)

        @functools.wraps(function)
        async def call_async(*args: P.args, **kwargs: P.kwargs) -> object:
            with region(name, **arguments):
                return await function(*args, **kwargs)  # type: ignore[misc]

        return cast("Callable[P, T]", call_async) if inspect.iscoroutinefunction(function) else call


def _append(opened: Region, key: bytes, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, _NUMBERS):
        lib.datacrumbs_region_text(opened, key, _bytes(str(value)))
    elif not isinstance(value, _INTEGERS):
        lib.datacrumbs_region_number(opened, key, float(value))
    elif -(1 << 63) <= (integer := int(value)) < 1 << 63:
        lib.datacrumbs_region_integer(opened, key, integer)
    else:
        lib.datacrumbs_region_text(opened, key, _bytes(str(integer)))


def _bytes(text: str) -> bytes:
    """The text for C; what UTF-8 cannot say becomes "?", since a trace must never stop the program."""
    return text.encode("utf-8", "replace")
