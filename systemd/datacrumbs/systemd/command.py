"""`datacrumbs_node start|stop|reap`: what schedulers' hooks call on a node, as root."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from datacrumbs.core import cli, config
from datacrumbs.core.config import Config
from datacrumbs.core.errors import DataCrumbsError, RefusedError, UsageError
from datacrumbs.core.metadata import MAX_BYTES
from datacrumbs.core.text import printable

PROG: Final = "datacrumbs_node"
_DESCRIPTION: Final = """\
Starts and stops the trace of a job on this node (root; called by the schedulers' hooks).

start reads the job's metadata from stdin, and has datacrumbs@ID.service ready or says why not; stop ends it; reap ends
what is left of jobs that are gone. Each prints one line and ends with 0 whatever happens, so that no job fails and no
node is drained because of tracing."""
_EXAMPLE: Final = f"""\
echo '{{"datacrumbs":{{"enable":"yes","probe_file":"/abs/path.json.gz"}}}}' | sudo {PROG} start --job 17 --user ada
sudo {PROG} stop --job 17"""


def main() -> int:
    """The command's entry point."""
    return cli.main(PROG, run)


def run(argv: Sequence[str]) -> int:
    """Runs a verb. Once there is a verb, the answer is a line on stdout and the exit code 0.

    Raises:
        UsageError: there is no verb, or help was asked for.
    """
    verbs = {"start": ("none: ", _start), "stop": ("failed: ", _stop), "reap": ("failed: ", _reap)}
    if not argv or argv[0] not in verbs or {"-h", "--help"} & set(argv):
        _parser().parse_args(argv)
        raise UsageError("no verb is given", f"see '{PROG} --help'")
    prefix, verb = verbs[argv[0]]
    try:
        options = _parser().parse_args(argv)
        if os.geteuid() != 0:
            raise RefusedError("only root may start and stop traces on a node", f"run it with sudo {PROG}")
        answer = verb(options, _settings(options.config))
    except DataCrumbsError as error:
        answer = f"{prefix}{printable(error.message)}{printable(f'; {error.hint}' if error.hint else '')}"
    except Exception as error:
        answer = f"{prefix}{printable(f'unexpected {type(error).__name__}: {error}')}"
    print(answer, flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = cli.parser(PROG, _DESCRIPTION, _EXAMPLE)
    verbs = parser.add_subparsers(metavar="VERB", required=True, title="verbs", dest="verb")
    start = verbs.add_parser("start", help="have the trace of a job ready; its metadata comes from stdin")
    stop = verbs.add_parser("stop", help="close the trace of a job")
    reap = verbs.add_parser("reap", help="close the traces of jobs that are gone")
    for verb in (start, stop):
        verb.add_argument("--job", required=True, metavar="ID", help="the job's id")
    start.add_argument("--user", required=True, metavar="UID", help="the job's owner")
    start.add_argument("--scheduler", choices=("slurm", "flux"), default="", help="whose job it is")
    start.add_argument("--until", type=_seconds, default=0, metavar="TIME", help="when the job ends at the latest")
    start.add_argument("--error-output", type=Path, metavar="FILE", help="where the job's owner reads of errors")
    reap.add_argument("--grace", type=_seconds, default=3600, metavar="SECONDS", help="for how long none was seen")
    for verb in (start, stop, reap):
        verb.add_argument("--config", type=Path, metavar="FILE", help=f"settings (default: {config.DEFAULT_PATH})")
    return parser


def _settings(path: Path | None) -> Config:
    return config.load(path)


def _start(options: argparse.Namespace, settings: Config) -> str:
    from datacrumbs.systemd import helper
    from datacrumbs.systemd.job import Job, check_id

    job = Job(check_id(options.job), settings.run_dir)
    request = helper.Request(job, options.user, options.scheduler, options.until, options.error_output)
    return helper.start(request, sys.stdin.buffer.read(MAX_BYTES + 1), settings)


def _stop(options: argparse.Namespace, settings: Config) -> str:
    from datacrumbs.systemd import helper
    from datacrumbs.systemd.job import Job, check_id

    return helper.stop(Job(check_id(options.job), settings.run_dir), settings)


def _reap(options: argparse.Namespace, settings: Config) -> str:
    from datacrumbs.systemd.reap import reap

    reaped = reap(settings, float(options.grace))
    return f"reaped: {' '.join(reaped) if reaped else 'nothing'}"


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise UsageError(f"'{text}' is no number of seconds", "give a whole number")
    return int(text)
