"""Work that goes on beside ours."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

_Result = TypeVar("_Result")


class Beside(Generic[_Result]):
    """A call that runs in a thread of its own until its result is needed; a context manager that waits for its end.

    For waits in the kernel, which let other threads have the interpreter. Processes must not be forked meanwhile.

    Args:
        call: what to do.
    """

    def __init__(self, call: Callable[[], _Result]) -> None:
        self._call = call
        self._results: list[_Result] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def __enter__(self) -> Beside[_Result]:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def result(self) -> _Result:
        """Waits for the call's end; what it raised is raised here."""
        self._thread.join()
        if self._error:
            raise self._error
        return self._results[0]

    def _run(self) -> None:
        try:
            self._results.append(self._call())
        except BaseException as error:
            self._error = error
