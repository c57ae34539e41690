"""What Flux knows of a job: from flux-python where it is importable, else from `flux jobs`, as JSON.

Without any Flux a job's id still says what its traces are called, so that they are found on another machine, too.
"""

from __future__ import annotations

import importlib
import json
import re
from typing import Any, Final

from datacrumbs.core.errors import DataCrumbsError
from datacrumbs.core.schedulers import JobPart
from datacrumbs.core.users import User, find_user
from datacrumbs.flux import command, jobid

_MOST_NODES: Final = 100_000
_F58: Final = re.compile(r"[ƒf]\w+\Z")


def find_job(job: str) -> list[JobPart]:
    """The one part of a job.

    Args:
        job: an id in any of Flux's forms: `ƒABC`, `fABC`, decimal, hexadecimal.

    Returns:
        Empty where this is no id of Flux's; or where it is a plain number, as other schedulers have them, that Flux
        does not know.
    """
    number = jobid.parse(job)
    if number is None:
        return []
    known = _ask_python(number) or _ask_command(number)
    if known is None:
        return [JobPart(jobid.f58(number), None, ())] if _F58.match(job) else []
    return [JobPart(jobid.f58(number), _user(known), _nodes(known))]


def _ask_python(number: int) -> dict[str, Any] | None:
    try:
        flux: Any = importlib.import_module("flux")
        found = importlib.import_module("flux.job").get_job(flux.Flux(), number)
    except Exception:  # no flux-python, none that finds its libflux, or no instance: the command line says the same
        return None
    return found if isinstance(found, dict) else None


def _ask_command(number: int) -> dict[str, Any] | None:
    flux = command.find()
    answer = command.ask(flux, "jobs", "--json", str(number)) if flux else None
    if answer is None:
        return None
    try:
        document = json.loads(answer)
    except ValueError:
        return None
    if isinstance(document, dict) and isinstance(document.get("jobs"), list):  # as for several ids
        document = next(iter(document["jobs"]), None)
    return document if isinstance(document, dict) and "userid" in document else None


def _user(known: dict[str, Any]) -> User | None:
    try:
        return find_user(str(known["userid"]))
    except (KeyError, DataCrumbsError):
        return None


def _nodes(known: dict[str, Any]) -> tuple[str, ...]:
    """Flux writes lists of hosts as `n[1-3,7]`."""
    text = known.get("nodelist")
    if not isinstance(text, str) or not text:
        return ()
    from ClusterShell.NodeSet import NodeSet, NodeSetException

    try:
        nodes = NodeSet(text)
    except NodeSetException:
        return ()
    return tuple(nodes) if len(nodes) <= _MOST_NODES else ()
