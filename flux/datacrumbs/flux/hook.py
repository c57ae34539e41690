"""datacrumbs_flux_hook: what hooks/begin.sh hands over to when a job that asks for a trace has none."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from datacrumbs.core import cli
from datacrumbs.core.errors import UsageError
from datacrumbs.core.text import printable
from datacrumbs.flux import jobid

PROG: Final = "datacrumbs_flux_hook"
FLUX_SECONDS: Final = 10
_MOST_NOTE: Final = 600
_MOST_ANSWER: Final = 64 << 10
_RUN_DIR: Final = Path("/run/datacrumbs")
_CANCEL_SECONDS: Final = 10.0


def main() -> int:
    """The command `datacrumbs_flux_hook`."""
    return cli.main(PROG, run)


def run(argv: Sequence[str]) -> int:
    """Tells the user of the job that FLUX_JOB_ID names what the node's helper answered, if that is not `ready`.

    Raises:
        UsageError: it was not called for a job.
    """
    parser = cli.parser(
        PROG,
        "Tells the user of a Flux job why it is not traced on this node, as root, if the answer of datacrumbs_node on "
        "stdin says so. What Flux's prolog leaves behind calls it, with FLUX_JOB_ID set.",
        f"{PROG} --flux /usr/bin/flux <answer",
    )
    parser.add_argument("--flux", default="flux", metavar="FILE", help="Flux's command (default: the one in PATH)")
    args = parser.parse_args(argv)
    number = jobid.parse(os.environ.get("FLUX_JOB_ID", ""))
    if number is None:
        raise UsageError("FLUX_JOB_ID does not name a job", "let Flux's prolog call it: docs/flux.md")
    reason = reason_in(sys.stdin.buffer.read(_MOST_ANSWER).decode("utf-8", "replace"))
    if reason:
        tell(args.flux, number, reason)
    return 0


def reason_in(answer: str) -> str:
    """Why there is no trace, by the answer of `datacrumbs_node start`; empty where there is one, or none is wanted."""
    answer = answer.strip()
    if answer in ("ready", "off"):
        return ""
    word, _, reason = answer.partition(":")
    return reason.strip() if word == "none" and reason.strip() else "the node's helper failed; tell the administrator"


def tell(flux: str, number: int, reason: str) -> None:
    """Tells the user by an exception of the job: one that says why and lets it go on, or where the site chose
    `on-failure = "cancel"`, one that ends it.
    """
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
    if cancel:
        _wait_until_over(number)


def _wait_until_over(number: int) -> None:
    """Until the epilog or the end of our patience: as long as the start goes on, the job's tasks do not begin."""
    deadline = time.monotonic() + _CANCEL_SECONDS
    while (_RUN_DIR / f"{jobid.f58(number)}.env").exists() and time.monotonic() < deadline:
        time.sleep(0.1)


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
