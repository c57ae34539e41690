"""`make bench-flux`: what a job waits longer for, with DataCrumbs in a Flux instance of two ranks; see docs/flux.md.

Jobs of four kinds take turns in one run, each round in another order, so that whatever else the machine does meets all
of them alike: with nothing of ours; with the jobtap, CLI and shell plugins; with the hooks as well; and traced. A job's
latency is the time from its `submit` to its `clean` in its eventlog; in each turn the best of a few jobs counts. Exits
with 0 where every target is met, 1 where one is missed, 69 where no node can be had. The targets are those of a machine
with nothing else to do: the notes say how busy it was.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in ("support", "../containers")]

from figures import Figure, show  # noqa: E402
from fluxsite import Instance, Site, opened_site, traced  # noqa: E402
from nodes.errors import NodesError  # noqa: E402

KINDS = ("nothing", "plugins", "hooks", "traced")
TRIES = {"nothing": 8, "plugins": 8, "hooks": 3, "traced": 3}
"""Jobs of each turn, of which the best counts: the less a kind adds, the more it takes to see it."""
HOOKS = ("prolog.d", "epilog.d", "housekeeping.d")


def switch(site: Site, instance: Instance, kind: str) -> None:
    """Flux runs hooks that are executable; the job manager has the plugin or has not."""
    mode = "644" if kind in ("nothing", "plugins") else "755"
    site.run("chmod", mode, *(site.libexec / hook / "datacrumbs" for hook in HOOKS))
    loaded = "datacrumbs.so" in instance.run("jobtap", "list").stdout
    if loaded != (kind != "nothing"):
        instance.run("jobtap", "load" if kind != "nothing" else "remove", "datacrumbs.so")


def latency(instance: Instance, kind: str) -> float:
    """Milliseconds from submission to the end of a job that does nothing."""
    job = instance.run("submit", *(traced("true") if kind == "traced" else ["true"])).stdout.strip()
    instance.wait(job)
    times = {event["name"]: event["timestamp"] for event in instance.eventlog(job)}
    assert not instance.told(job), instance.told(job)
    return 1000 * float(times["clean"] - times["submit"])


def measure(site: Site, rounds: int) -> list[Figure]:
    """Medians over the rounds of what each kind takes longer than another; a first round warms up."""
    instance = Instance(site, 2)
    took: dict[str, list[float]] = {kind: [] for kind in KINDS}
    try:
        for number in range(rounds + 1):
            first = number % len(KINDS)
            for kind in KINDS[first:] + KINDS[:first]:
                switch(site, instance, kind)
                milliseconds = min(latency(instance, kind) for _ in range(TRIES[kind]))
                site.wait_until_nothing_is_left()  # so that no kind bears the end of another
                if number:
                    took[kind].append(milliseconds)
    finally:
        instance.stop()

    def added(kind: str, over: str) -> float:
        return statistics.median(a - b for a, b in zip(took[kind], took[over], strict=True))

    note = f"median of {rounds} pairs; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    return [
        Figure("a job with nothing of ours", statistics.median(took["nothing"]), "ms"),
        Figure("untraced: added by the plugins", added("plugins", "nothing"), "ms", most=2, note=note),
        Figure("untraced: added by the hooks", added("hooks", "plugins"), "ms", most=20, note=note),
        Figure("traced: added by all of it", added("traced", "nothing"), "ms", most=300, note=note),
    ]


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=24, metavar="N", help="turns of each kind (default: 24)")
    options = parser.parse_args()
    try:
        with opened_site() as site:
            figures = measure(site, options.rounds)
    except NodesError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 69
    show(figures)
    return 1 if any(figure.failed for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
