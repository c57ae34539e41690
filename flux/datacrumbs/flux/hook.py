"""datacrumbs_flux_hook: what the prolog's shell script hands over to once a job seems to ask for a trace.

It always ends with 0, and in bounded time: Flux drains a node whose prolog fails, and waits for one that does not end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from datacrumbs.core import cli, metadata
from datacrumbs.core.errors import DataError, UsageError
from datacrumbs.core.text import printable
from datacrumbs.flux import jobid

PROG: Final = "datacrumbs_flux_hook"
MAX_JOBSPEC: Final = 64 << 20
"""Bytes: the environment of a job is part of its jobspec."""
NODE_SECONDS: Final = 120
"""More than the helper's own limits together (start_seconds, stop_seconds): it gives up long before."""
FLUX_SECONDS: Final = 10
_MOST_NOTE: Final = 600


def main() -> int:
    """The command `datacrumbs_flux_hook`."""
    return cli.main(PROG, run)


def run(argv: Sequence[str]) -> int:
    """Starts the trace of the job that FLUX_JOB_ID names, if its jobspec on stdin asks for one.

    Raises:
        UsageError: it was not called by a prolog.
    """
    parser = cli.parser(
        PROG,
        "Starts the trace of a Flux job on this node, as root, if the jobspec on stdin asks for one. "
        "The prolog of Flux calls it with FLUX_JOB_ID and FLUX_JOB_USERID set.",
        f"{PROG} --flux /usr/bin/flux <jobspec.json",
    )
    beside = Path(sys.executable).with_name("datacrumbs_node")
    parser.add_argument("--flux", default="flux", metavar="FILE", help="Flux's command (default: the one in PATH)")
    parser.add_argument("--node", default=beside, metavar="FILE", help="the node's helper (default: the one installed)")
    args = parser.parse_args(argv)
    number = jobid.parse(os.environ.get("FLUX_JOB_ID", ""))
    user = os.environ.get("FLUX_JOB_USERID", "")
    if number is None or not (user.isascii() and user.isdigit()):
        raise UsageError(
            "FLUX_JOB_ID and FLUX_JOB_USERID do not name a job and its user", "let Flux's prolog call it: docs/flux.md"
        )
    try:
        wanted = wanted_by(sys.stdin.buffer.read(MAX_JOBSPEC + 1))
        if wanted is None:
            return 0
        reason = start(args.node, jobid.f58(number), user, wanted)
    except DataError as error:
        reason = f"{error.message}; {error.hint}" if error.hint else error.message
    if reason:
        tell(args.flux, number, reason)
    return 0


def wanted_by(jobspec: bytes) -> metadata.Metadata | None:
    """What a jobspec asks for in attributes.system.datacrumbs; None where nothing is asked for.

    Args:
        jobspec: JSON; hostile.

    Raises:
        DataError: it is asked for in a way that cannot be followed.
    """
    if len(jobspec) > MAX_JOBSPEC:
        raise DataError(f"the jobspec is larger than {MAX_JOBSPEC >> 20} MiB", "give the job a smaller environment")
    try:
        value: Any = json.loads(jobspec)
        for name in ("attributes", "system"):
            value = value.get(name, {}) if isinstance(value, dict) else {}
    except (ValueError, RecursionError) as error:
        raise DataError("the jobspec is not JSON") from error
    if not isinstance(value, dict) or metadata.KEY not in value:
        return None
    return metadata.parse(json.dumps({metadata.KEY: value[metadata.KEY]}))


def start(helper: str | Path, run_id: str, user: str, wanted: metadata.Metadata) -> str:
    """Has the node's helper start the runtime, and waits until it traces or gives up.

    Args:
        helper: its command.
        run_id: the job's id as `jobid.f58` has it.
        user: the job's user id, as a number.
        wanted: what to trace.

    Returns:
        Why there is no trace; nothing where there is one.
    """
    command = [str(helper), "start", "--job", run_id, "--user", user, "--scheduler", "flux"]
    try:
        done = subprocess.run(
            command, input=wanted.dump().encode(), stdout=subprocess.PIPE, timeout=NODE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"the node's helper did not answer for {NODE_SECONDS} s; tell the administrator"
    except OSError as error:
        return f"cannot run {helper}: {error.strerror}; tell the administrator"
    answer = done.stdout.decode("utf-8", "replace").strip()
    if answer in ("ready", "off"):
        return ""
    word, _, reason = answer.partition(":")
    return reason.strip() if word == "none" and reason.strip() else "the node's helper failed; tell the administrator"


def tell(flux: str, number: int, reason: str) -> None:
    """Tells the user by an exception of the job: one that says why and lets it go on, or where the site chose
    `on-failure = "cancel"`, one that ends it.
    """
    # Not above: jobs whose trace begins wait for what is imported there.
    import random
    import time

    note = printable(f"{os.uname().nodename}: {reason}")[:_MOST_NOTE]
    print(f"{PROG}: {note}", file=sys.stderr)  # for the administrator: the prolog's output goes to Flux's log
    cancel = _ask(flux, ["config", "get", "--quiet", "--default=continue", "datacrumbs.on-failure"]) == "cancel"
    # A thousand nodes that fail for the same reason must not write a thousand lines into one eventlog.
    if not cancel:
        time.sleep(random.uniform(0, min(2.0, _ranks(os.environ.get("FLUX_JOB_RANKS", "")) / 200)))  # noqa: S311
        if _told_often(flux, number):
            return
    severity = 0 if cancel else 4
    _ask(flux, ["job", "raise", f"--severity={severity}", "--type=datacrumbs", f"--message={note}", str(number)])


def _told_often(flux: str, number: int) -> bool:
    events = _ask(flux, ["job", "info", str(number), "eventlog"])
    return sum('"name":"exception"' in e and '"type":"datacrumbs"' in e for e in events.splitlines()) >= 3


def _ranks(idset: str) -> int:
    """How many ranks an idset such as `0-3,7` has, roughly; 1 for what is no idset."""
    count = 0
    for part in idset.strip("[]").split(","):
        first, _, last = part.partition("-")
        if first.isascii() and first.isdigit() and len(first) < 10:
            end = int(last) if last.isascii() and last.isdigit() and len(last) < 10 else int(first)
            count += max(1, end - int(first) + 1)
    return max(1, count)


def _ask(flux: str, arguments: list[str]) -> str:
    """The output of a flux command; empty where it fails: nobody is left to tell then."""
    try:
        done = subprocess.run(
            [flux, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=FLUX_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"{PROG}: {flux} {arguments[0]} {arguments[1]}: {error}", file=sys.stderr)
        return ""
    return done.stdout.decode("utf-8", "replace").strip()
