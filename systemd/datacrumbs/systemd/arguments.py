"""The arguments of `datacrumbs_node`. Jobs wait for the verbs of hooks, so what hooks write is taken apart without
argparse, which would take a fifth of their time; anything else, help and mistakes included, is argparse's matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from datacrumbs.core import config
from datacrumbs.core.errors import UsageError

if TYPE_CHECKING:
    import argparse

PROG: Final = "datacrumbs_node"
_DESCRIPTION: Final = """\
Starts and stops the trace of a job on this node (root; called by the schedulers' hooks).

start reads the job's metadata from stdin, and has datacrumbs@ID.service ready or says why not; stop ends it; reap ends
what is left of jobs that are gone. Each prints one line and ends with 0 whatever happens, so that no job fails and no
node is drained because of tracing."""
_EXAMPLE: Final = f"""\
echo '{{"datacrumbs":{{"enable":"yes","probe_file":"/abs/path.json.gz"}}}}' | sudo {PROG} start --job 17 --user ada
sudo {PROG} stop --job 17"""
_HELP: Final = {
    "start": "have the trace of a job ready; its metadata comes from stdin",
    "stop": "close the trace of a job",
    "reap": "close the traces of jobs that are gone",
}
VERBS: Final = tuple(_HELP)
_SCHEDULERS: Final = ("slurm", "flux")
_OPTIONS: Final = {
    "--job": (("start", "stop"), "ID", "the job's id"),
    "--user": (("start",), "UID", "the job's owner"),
    "--scheduler": (("start",), "NAME", f"whose job it is: {' or '.join(_SCHEDULERS)}"),
    "--until": (("start",), "TIME", "when the job ends at the latest, in seconds since 1970"),
    "--error-output": (("start",), "FILE", "where the job's owner reads of errors"),
    "--detached": (("start",), "", "the caller made /run/datacrumbs/ID.starting, and does not wait"),
    "--begun": (("start",), "", "the same, but the caller removes it, and may have written ID.env and begun to start"),
    "--grace": (("reap",), "SECONDS", "for how long none was seen (default: 3600)"),
    "--config": (VERBS, "FILE", f"settings (default: {config.DEFAULT_PATH})"),
}
"""Of which verbs, what follows, what it is."""
_REQUIRED: Final = {"start": ("--job", "--user"), "stop": ("--job",), "reap": ()}


class Options(NamedTuple):
    """What was asked for."""

    verb: str
    job: str = ""
    user: str = ""
    scheduler: str = ""
    until: int = 0
    error_output: Path | None = None
    detached: bool = False
    begun: bool = False
    grace: int = 3600
    config: Path | None = None


def read(argv: Sequence[str]) -> Options:
    """Takes the arguments apart.

    Args:
        argv: without the program's name.

    Raises:
        UsageError: there is a mistake in them.
        SystemExit: help was asked for, and is printed.
    """
    texts = _quickly(argv)
    if texts is None:
        texts = {f"--{name.replace('_', '-')}": value for name, value in vars(_parser().parse_args(argv)).items()}
    scheduler = texts.get("--scheduler") or ""
    if scheduler and scheduler not in _SCHEDULERS:
        raise UsageError(f"'{scheduler}' is no scheduler", f"write {' or '.join(_SCHEDULERS)}")
    return Options(
        argv[0],
        texts.get("--job") or "",
        texts.get("--user") or "",
        scheduler,
        _seconds(texts.get("--until") or "0"),
        _path(texts.get("--error-output")),
        bool(texts.get("--detached")),
        bool(texts.get("--begun")),
        _seconds(texts.get("--grace") or "3600"),
        _path(texts.get("--config")),
    )


def explain(argv: Sequence[str]) -> None:
    """Prints the help that is asked for, or says what is wrong.

    Raises:
        UsageError: there is a mistake in the arguments.
        SystemExit: help was printed.
    """
    _parser().parse_args(argv)


def _quickly(argv: Sequence[str]) -> dict[str, str] | None:
    """The options as hooks write them, `--name value`; None where they are anything else."""
    verb, words = argv[0], iter(argv[1:])
    texts = {}
    for word in words:
        if word not in _OPTIONS or verb not in _OPTIONS[word][0]:
            return None
        texts[word] = next(words, "") if _OPTIONS[word][1] else "yes"
        if not texts[word] or texts[word].startswith("-"):
            return None
    return texts if all(name in texts for name in _REQUIRED[verb]) else None


def _parser() -> argparse.ArgumentParser:
    from datacrumbs.core import cli

    parser = cli.parser(PROG, _DESCRIPTION, _EXAMPLE)
    verbs = parser.add_subparsers(metavar="VERB", required=True, title="verbs", dest="verb")
    for verb, text in _HELP.items():
        one = verbs.add_parser(verb, help=text)
        for name, (where, value, what) in _OPTIONS.items():
            if verb in where and value:
                one.add_argument(name, required=name in _REQUIRED[verb], metavar=value, help=what)
            elif verb in where:
                one.add_argument(name, action="store_const", const="yes", help=what)
    return parser


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise UsageError(f"'{text}' is no number of seconds", "give a whole number")
    return int(text)
