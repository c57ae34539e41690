"""`--job ID`: the traces of a job in place of their names."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from datacrumbs.core.errors import NoInputError, UsageError

if TYPE_CHECKING:
    from datacrumbs.core.config import Config
    from datacrumbs.core.schedulers import JobPart
    from datacrumbs.core.users import User

_OPTION: Final = "--job"
_SUFFIX: Final = ".pfw.gz"


def expand(argv: Sequence[str]) -> list[str]:
    """The arguments with the names of a job's traces in the place of `--job ID`.

    Raises:
        UsageError: the id is missing, or none.
        NoInputError: the job has no traces where this machine's configuration puts them.
    """
    words: list[str] = []
    left = list(argv)
    while left:
        word = left.pop(0)
        name, equals, value = word.partition("=")
        if name != _OPTION:
            words.append(word)
            continue
        if not equals and not left:
            raise UsageError("a job's id is missing after --job", "write --job 4711")
        from datacrumbs.core import config  # takes 40 ms with all it needs, and most ask for files by name

        words += map(str, find_traces(value if equals else left.pop(0), config.load()))
    return words


def find_traces(job: str, settings: Config) -> list[Path]:
    """The traces of a job, wherever `trace_dir` may have put them.

    The scheduler tells what a job's parts, owner and nodes are; without it, the traces bear the id itself.

    Raises:
        UsageError: it is no id.
        NoInputError: there is none.
    """
    from datacrumbs.core import runid
    from datacrumbs.core.schedulers import JobPart, find_schedulers

    parts = [part for scheduler in find_schedulers().values() for part in scheduler.find_job(job)]
    if not parts:
        parts = [JobPart(runid.check(job), None, ())]
    found: list[Path] = []
    for part in parts:
        traces = _traces_of(part, settings)
        found += traces
        without = [
            node for node in part.nodes if traces and not any(_is_of(path, part.run_id, node) for path in traces)
        ]
        if without:
            print(f"datacrumbs_analyze: job {part.run_id} has no trace of {', '.join(without)}", file=sys.stderr)
    if not found:
        where = _pattern(parts[0], _owner(parts[0]), settings)
        raise NoInputError(
            f"there is no trace of job {job}: looked for {where}",
            f"a file of the same name that ends in .txt tells why; or name the traces instead of {_OPTION}",
        )
    return found


def _owner(part: JobPart) -> User:
    from datacrumbs.core.users import find_user

    return part.user or find_user(str(os.getuid()))


def _pattern(part: JobPart, user: User, settings: Config) -> Path:
    """What glob looks for; whatever is known stands for itself, also with signs that would mean something to glob."""
    folder = settings.trace_directory(
        home=glob.escape(user.home), user=glob.escape(user.name), date="*", host="*", run_id=glob.escape(part.run_id)
    )
    return folder / f"{glob.escape(part.run_id)}-*{_SUFFIX}"


def _traces_of(part: JobPart, settings: Config) -> list[Path]:
    return sorted(Path(name) for name in glob.glob(str(_pattern(part, _owner(part), settings))))  # noqa: PTH207


def _is_of(path: Path, run_id: str, node: str) -> bool:
    short = node.split(".")[0]
    return path.name.startswith((f"{run_id}-{node}.", f"{run_id}-{short}."))
