"""Patterns of function names: upstream's ECMAScript regular expressions, in whole-name and case-blind comparison.

The `regex` package understands what they use (look-ahead, POSIX classes such as [[:alpha:]]), and stops by itself when
an expression backtracks without end: `(a+)+b` would otherwise let one line of YAML keep a processor busy for years.
"""

from __future__ import annotations

from typing import Final

import regex
from datacrumbs.core.errors import DataError

MAX_LENGTH: Final = 4_096
TIMEOUT: Final = 0.5
"""Seconds that comparing one name may take; a sound pattern needs microseconds."""


class Pattern:
    """A compiled pattern.

    Raises:
        ValueError: it is no regular expression.
    """

    __slots__ = ("_compiled", "text")

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise ValueError(f"a pattern of more than {MAX_LENGTH} characters")
        try:
            self._compiled = regex.compile(text, regex.IGNORECASE | regex.ASCII)
        except (regex.error, RecursionError, OverflowError) as error:
            raise ValueError(f"not a regular expression: {error}") from error
        self.text = text

    def fits(self, name: str) -> bool:
        """Whether the whole name fits.

        Raises:
            DataError: the pattern backtracks for longer than TIMEOUT.
        """
        try:
            return self._compiled.fullmatch(name, timeout=TIMEOUT) is not None
        except TimeoutError as error:
            raise DataError(
                f"the pattern '{self.text}' takes too long on the name '{name}'",
                "write it without repetitions inside repetitions, such as (a+)+",
            ) from error

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)
