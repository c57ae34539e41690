"""`datacrumbs_sbatch` and `datacrumbs_salloc`: put the metadata into a job's comment, where no plugin takes options.

Everything but our two options goes to sbatch or salloc as it is. A comment that the job has already, on the command
line, in the environment or on `#SBATCH` lines, is kept inside of ours.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from datacrumbs.core import cli
from datacrumbs.core.errors import UnavailableError, UsageError
from datacrumbs.core.files import read_regular
from datacrumbs.core.metadata import Metadata, check_probe_file, compose
from datacrumbs.slurm.words import Words, comment_in_script, split

MAX_COMMENT: Final = 1024
"""Bytes that Slurm takes."""
_MAX_SCRIPT: Final = 4 << 20


def main_sbatch() -> int:
    """The command `datacrumbs_sbatch`."""
    return cli.main("datacrumbs_sbatch", lambda argv: _submit("sbatch", argv))


def main_salloc() -> int:
    """The command `datacrumbs_salloc`."""
    return cli.main("datacrumbs_salloc", lambda argv: _submit("salloc", argv))


def _submit(program: str, argv: Sequence[str]) -> int:
    words = split(argv)
    prog = f"datacrumbs_{program}"
    if words.help:
        _show_help(prog, program)
        return 0
    if not words.enable:
        raise UsageError(
            "no trace is asked for", f"add --datacrumbs-enable --datacrumbs-probe-file=FILE, or use {program}"
        )
    if not words.probe_file:
        raise UsageError("what to trace is not said", "add --datacrumbs-probe-file=FILE")
    path = check_probe_file(str(Path(words.probe_file).absolute()))
    read_regular(path, 16 << 20)
    comment = words.comment
    if comment is None:
        comment = os.environ.get("SBATCH_COMMENT" if program == "sbatch" else "SALLOC_COMMENT")
    if comment is None and program == "sbatch":
        comment = comment_in_script(_script(words))
    composed = compose(Metadata(path), comment or "")
    if len(composed.encode()) > MAX_COMMENT:
        raise UsageError(
            f"the job's comment would have {len(composed.encode())} bytes, Slurm takes {MAX_COMMENT}",
            "shorten your own comment, or the path of the probes file",
        )
    _execute(program, [program, *words.with_comment(composed)])
    return 0


def _show_help(prog: str, program: str) -> None:
    cli.parser(
        prog,
        f"Run {program} for a job that is traced: the metadata go into the job's comment, beside what is there.\n\n"
        f"All other arguments are {program}'s own.",
        f"{prog} --datacrumbs-enable --datacrumbs-probe-file=$HOME/probes.json.gz -N4"
        + (" job.sh" if program == "sbatch" else ""),
    ).print_help()


def _script(words: Words) -> str:
    """The job's script: a file, or our stdin, which sbatch then gets from a copy in memory."""
    if words.script is not None:
        try:
            return Path(words.script).read_bytes()[:_MAX_SCRIPT].decode("utf-8", "replace")
        except OSError:
            return ""  # sbatch looks for it in PATH, or says what is wrong with it
    if words.wrapped or sys.stdin is None or sys.stdin.isatty():
        return ""
    try:
        data = sys.stdin.buffer.read(_MAX_SCRIPT + 1)
        copy = os.memfd_create("script", 0)
    except (OSError, io.UnsupportedOperation):
        return ""
    with os.fdopen(os.dup(copy), "wb") as out:
        out.write(data)
    os.lseek(copy, 0, os.SEEK_SET)
    os.dup2(copy, 0)
    return data.decode("utf-8", "replace")


def _execute(program: str, arguments: list[str]) -> None:
    sys.stdout.flush()
    try:
        os.execvp(program, arguments)  # noqa: S606 - no shell is what we want
    except OSError as error:
        raise UnavailableError(
            f"cannot run {program}: {error.strerror}", "is Slurm on this machine, and in PATH?"
        ) from error
