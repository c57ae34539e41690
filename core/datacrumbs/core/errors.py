"""Every way in which a command of DataCrumbs can fail, and who can do something about it.

An error is one sentence on what happened and one on what to do. It names who must act: the *user* who typed the
command, the *administrator* of the machine, or the *developer* of DataCrumbs. `cli.main` is the only place that prints
one. Exit codes follow sysexits(3), so that scripts can tell the causes apart; docs/troubleshooting.md lists them.
"""

from __future__ import annotations

from typing import ClassVar, Literal

Who = Literal["user", "administrator", "developer"]


class DataCrumbsError(Exception):
    """The base of all errors that reach a person.

    Args:
        message: what happened: one sentence without the final stop; it may hold hostile text, the printer escapes it.
        hint: what to do about it: one sentence without the final stop.
        who: overrides the class's usual addressee.
    """

    exit_code: ClassVar[int] = 70
    who: Who = "developer"

    def __init__(self, message: str, hint: str = "", *, who: Who | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if who is not None:
            self.who = who


class UsageError(DataCrumbsError):
    """The command line makes no sense (exit code 64, EX_USAGE)."""

    exit_code = 64
    who: Who = "user"


class DataError(DataCrumbsError):
    """A file that was given holds something wrong: YAML, probes file, trace (exit code 65, EX_DATAERR)."""

    exit_code = 65
    who: Who = "user"


class NoInputError(DataCrumbsError):
    """A file that was given is missing or cannot be read (exit code 66, EX_NOINPUT)."""

    exit_code = 66
    who: Who = "user"


class UnavailableError(DataCrumbsError):
    """A service that is needed does not answer, such as the signer (exit code 69, EX_UNAVAILABLE)."""

    exit_code = 69
    who: Who = "administrator"


class InternalError(DataCrumbsError):
    """Something that cannot happen did (exit code 70, EX_SOFTWARE)."""


class KernelError(DataCrumbsError):
    """The kernel lacks, or refuses, what is needed (exit code 71, EX_OSERR)."""

    exit_code = 71
    who: Who = "administrator"


class OutputError(DataCrumbsError):
    """An output file cannot be created or written (exit code 73, EX_CANTCREAT)."""

    exit_code = 73
    who: Who = "user"


class BusyError(DataCrumbsError):
    """Something is in use or too slow now and may work later (exit code 75, EX_TEMPFAIL)."""

    exit_code = 75
    who: Who = "user"


class RefusedError(DataCrumbsError):
    """Permission, policy or a signature says no (exit code 77, EX_NOPERM)."""

    exit_code = 77
    who: Who = "user"


class ConfigError(DataCrumbsError):
    """The machine's own configuration is wrong (exit code 78, EX_CONFIG)."""

    exit_code = 78
    who: Who = "administrator"
