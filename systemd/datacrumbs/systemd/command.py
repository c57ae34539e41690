"""`datacrumbs_node start|stop|reap`: what schedulers' hooks call on a node, as root.

Jobs wait for it, so it imports little: no argparse, no dataclasses, nothing that only a mistake needs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from datacrumbs.core import config
from datacrumbs.core.config import Config
from datacrumbs.core.errors import DataCrumbsError, RefusedError, UsageError
from datacrumbs.core.metadata import MAX_BYTES
from datacrumbs.core.text import printable
from datacrumbs.systemd import arguments
from datacrumbs.systemd.arguments import PROG, VERBS, Options


def main() -> int:
    """The command's entry point."""
    argv = sys.argv[1:]
    if argv and argv[0] in VERBS and not {"-h", "--help"} & set(argv):
        return run(argv)
    from datacrumbs.core import cli

    return cli.main(PROG, run)


def run(argv: Sequence[str]) -> int:
    """Runs a verb. Once there is a verb, the answer is a line on stdout and the exit code 0.

    Raises:
        UsageError: there is no verb.
        SystemExit: help was asked for, and is printed.
    """
    verbs = {"start": ("none: ", _start), "stop": ("failed: ", _stop), "reap": ("failed: ", _reap)}
    if not argv or argv[0] not in verbs or {"-h", "--help"} & set(argv):
        arguments.explain(argv)
        raise UsageError("no verb is given", f"see '{PROG} --help'")
    prefix, verb = verbs[argv[0]]
    try:
        options = arguments.read(argv)
        if os.geteuid() != 0:
            raise RefusedError("only root may start and stop traces on a node", f"run it with sudo {PROG}")
        answer = verb(options, config.load(options.config))
    except DataCrumbsError as error:
        answer = f"{prefix}{printable(error.message)}{printable(f'; {error.hint}' if error.hint else '')}"
    except Exception as error:
        answer = f"{prefix}{printable(f'unexpected {type(error).__name__}: {error}')}"
    print(answer, flush=True)
    return 0


def _start(options: Options, settings: Config) -> str:
    from datacrumbs.systemd import helper
    from datacrumbs.systemd.job import Job, check_id

    job = Job(check_id(options.job), settings.run_dir)
    request = helper.Request(
        job, options.user, options.scheduler, options.until, options.error_output, options.detached, options.begun
    )
    return helper.start(request, sys.stdin.buffer.read(MAX_BYTES + 1), settings)


def _stop(options: Options, settings: Config) -> str:
    from datacrumbs.systemd import helper
    from datacrumbs.systemd.job import Job, check_id

    return helper.stop(Job(check_id(options.job), settings.run_dir), settings)


def _reap(options: Options, settings: Config) -> str:
    from datacrumbs.systemd.reap import reap

    reaped = reap(settings, float(options.grace))
    return f"reaped: {' '.join(reaped) if reaped else 'nothing'}"
