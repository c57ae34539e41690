"""The command lines of sbatch and salloc, as far as the wrappers must understand them: pure, no Slurm needed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from datacrumbs.core.errors import UsageError

_SHORT_WITH_VALUE: Final = frozenset("aAbBcCdDeFGiIJLmMnNopqStwx")
"""Of sbatch and salloc, from their manual pages; of others a value is optional (-k, -K) or there is none."""
# fmt: off
_FLAGS: Final = frozenset((
    "hold", "help", "usage", "version", "verbose", "quiet", "wait", "parsable", "requeue", "no-requeue", "contiguous",
    "overcommit", "oversubscribe", "share", "spread-job", "use-min-nodes", "ignore-pbs", "test-only", "reboot",
    "no-shell", "no-bell", "bell", "disable-stdout-job-summary",
))
# fmt: on
"""Long options without a value."""
_OPTIONAL: Final = frozenset(("exclusive", "get-user-env", "propagate", "nice", "no-kill", "immediate", "kill-command"))
"""Long options whose value, if any, follows a `=`."""
_COMMENT: Final = re.compile(r"--com(m(e(nt?)?)?)?\Z")
"""getopt_long(3) takes any beginning that no other option has."""


@dataclass(slots=True)
class Words:
    """A command line, taken apart."""

    enable: bool = False
    probe_file: str = ""
    help: bool = False
    wrapped: bool = False
    comment: str | None = None
    """Of the last --comment, which is what Slurm goes by."""
    script: str | None = None
    """The first word that is no option: the job's script, or the command of salloc."""
    options: list[str] = field(default_factory=list)
    """Without ours, and without --comment."""
    breaks: list[int] = field(default_factory=list)
    """Where in `options` the components of a heterogeneous job begin, but the first."""
    rest: list[str] = field(default_factory=list)
    """From the script on."""

    def with_comment(self, text: str) -> list[str]:
        """The arguments for Slurm: each component of the job has the comment."""
        words = list(self.options)
        for place in reversed([0, *self.breaks]):
            words.insert(place, f"--comment={text}")
        return words + self.rest


def split(argv: Sequence[str]) -> Words:
    """Takes the arguments of a wrapper apart.

    Raises:
        UsageError: a value of ours is missing, or an option looks like ours and is not.
    """
    words = Words()
    left = list(argv)
    while left:
        word = left.pop(0)
        if word == ":":
            words.options.append(word)
            words.breaks.append(len(words.options))
        elif word == "--" or not word.startswith("-") or word == "-":
            words.script = word if word != "--" else (left[0] if left else None)
            words.rest = [word, *left]
            break
        elif word.startswith("--"):
            _take_long(words, word, left)
        else:
            _take_short(words, word, left)
    for number, word in enumerate(words.rest):
        if word == ":" and number + 1 < len(words.rest):
            raise UsageError("a ':' after the script or command", "put the components' options before it")
    return words


def _take_long(words: Words, word: str, left: list[str]) -> None:
    name, equals, value = word.partition("=")

    def argument() -> str:
        if equals:
            return value
        if not left:
            raise UsageError(f"a value is missing after {name}", "write it after a =")
        return left.pop(0)

    if name == "--datacrumbs-enable" and not equals:
        words.enable = True
    elif name == "--datacrumbs-probe-file":
        words.probe_file = argument()
    elif name.startswith("--datacrumbs"):
        raise UsageError(f"unknown option {word}", "known: --datacrumbs-enable, --datacrumbs-probe-file=FILE")
    elif _COMMENT.match(name):
        words.comment = argument()
    elif name == "--help":
        words.help = True
    else:
        words.wrapped = words.wrapped or name == "--wrap"
        words.options.append(word)
        if not equals and name[2:] not in _FLAGS | _OPTIONAL and left:
            words.options.append(left.pop(0))


def _take_short(words: Words, word: str, left: list[str]) -> None:
    words.options.append(word)
    for place, letter in enumerate(word[1:], 2):
        if letter in _SHORT_WITH_VALUE:
            if place == len(word) and left:
                words.options.append(left.pop(0))
            return
        if letter in "kKsIg":
            return  # the rest is its value, if there is any


def comment_in_script(text: str) -> str | None:
    """The comment on the `#SBATCH` lines of a script, read as sbatch does: up to the first line that is a command.

    Raises:
        UsageError: the script describes a heterogeneous job, whose components have comments of their own.
    """
    comment = None
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            break
        if not line.startswith("#SBATCH"):
            continue
        try:
            parts = shlex.split(line[len("#SBATCH") :], comments=True)
        except ValueError:
            parts = line[len("#SBATCH") :].split()
        if parts[:1] in (["hetjob"], ["packjob"]):
            raise UsageError(
                "the script describes a heterogeneous job", "write the comment on the #SBATCH lines of each component"
            )
        for number, part in enumerate(parts):
            name, equals, value = part.partition("=")
            if _COMMENT.match(name):
                comment = value if equals else (parts[number + 1] if number + 1 < len(parts) else comment)
    return comment
