"""Where the scripts of all commands begin: pyproject.toml names each by what `datacrumbs` here stands for.

A command imports for most of its first moments, before it can answer Ctrl-C. An exception would be a traceback there,
or nothing at all where Python drops it: Ctrl-C ends the process, which holds nothing yet.
"""

from __future__ import annotations

import os

# Nothing here may take time: `signal` would import `enum`, which takes 3 ms.
from _signal import SIGINT, default_int_handler, getsignal, signal  # type: ignore[import-not-found]

EXIT_INTERRUPTED = 130


class _Name:
    """The name of a function in a module of ours, which is imported when it is called."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> _Name:
        return _Name(f"{self._name}.{name}")

    def __call__(self) -> int:
        """Calls the function and returns the exit code."""
        ours = getsignal(SIGINT) is default_int_handler  # and not ignored, as under nohup
        try:
            if ours:
                signal(SIGINT, lambda *_: os._exit(EXIT_INTERRUPTED))
            module, _, function = self._name.rpartition(".")
            main = getattr(__import__(module, fromlist=[function]), function)
            if ours:
                signal(SIGINT, default_int_handler)
            return int(main())
        except KeyboardInterrupt:
            return EXIT_INTERRUPTED


datacrumbs = _Name("datacrumbs")
