"""User functions: attaching and detaching a thousand, and what a call costs by its first instruction."""

from __future__ import annotations

import os
import platform
import statistics
import time
from pathlib import Path

from bench import Bench, compile_c, measured, say
from datacrumbs.core.probes import ProbeSet
from datacrumbs.core.users import find_user
from datacrumbs.runtime.features import PROGRAMS, find_features
from datacrumbs.runtime.inspect import inspected
from datacrumbs.runtime.plan import make_plan
from datacrumbs.runtime.programs import Programs
from datacrumbs.runtime.providers import functions
from figures import Figure
from tracing import BIN, binary, function_probes

COUNT = 1000
CALLS = 1_000


def measure(bench: Bench) -> list[Figure]:
    """Half of the functions begin with `endbr64`, half with `push`."""
    library, names = _library(bench.folder)
    probes = ProbeSet(platform.machine(), tuple(function_probes(library, names)), (binary(library),))
    attach, detach, links = _attach(probes, 3 if bench.quick else 9)
    figures = [
        Figure(f"attaching {COUNT:,} user functions", attach, "ms", most=50, note=f"links: {links}"),
        Figure(f"detaching {COUNT:,} user functions", detach, "ms", most=200),
    ]
    return figures + _cost(bench, library, probes)


def _library(folder: Path) -> tuple[Path, list[str]]:
    """A library of functions that are not optimised, so that they begin with a frame."""
    x86 = platform.machine() == "x86_64"
    names, objects = [], []
    for prefix, protection in (("marked", "full"), ("plain", "none")):
        own = [f"{prefix}_{i:03}" for i in range(COUNT // 2)]
        source = folder / f"{prefix}.c"
        source.write_text("".join(f"int {name}(int x) {{ return x + {i}; }}\n" for i, name in enumerate(own)))
        option = [f"-fcf-protection={protection}"] if x86 else []
        compile_c([source], folder / f"{prefix}.o", "-O0", "-fPIC", "-c", *option)
        objects.append(folder / f"{prefix}.o")
        names += own
    compile_c(objects, folder / "libbench.so", "-shared", "-Wl,--build-id")
    return folder / "libbench.so", names


def _attach(probes: ProbeSet, times: int) -> tuple[float, float, str | None]:
    """Median ms to attach and to detach, by the runtime's own provider in this process."""
    attach, detach = [], []
    features = find_features(None)
    with inspected(probes, find_user(str(os.getuid()))) as files:
        plan = make_plan(probes, features, files, platform.machine())
        if not plan.links:
            return float("inf"), float("inf"), None
        for number in range(times):
            say(f"{COUNT} user functions, {number + 1} of {times}")
            with Programs({functions.OBJECT: PROGRAMS[plan.links]}, {"functions": len(probes.probes)}) as programs:
                start = time.monotonic()
                with functions.attached(programs, plan, probes):
                    attach.append(time.monotonic() - start)
                    start = time.monotonic()
                detach.append(time.monotonic() - start)
    return statistics.median(attach) * 1e3, statistics.median(detach) * 1e3, plan.links


def _cost(bench: Bench, library: Path, probes: ProbeSet) -> list[Figure]:
    base, plain, marked = [], [], []
    signed = bench.site.sign(probes.probes, probes.files)
    env = {"DATACRUMBS_RUN_DIR": str(bench.site.run_dir)}
    for number in range(bench.rounds):
        say(f"ns per call of a user function, round {number + 1} of {bench.rounds}")
        with measured([*bench.percall, library]) as other:
            base.append(other.cost("plain_001", CALLS))
        run_id = f"functions{number}"
        with (
            bench.site.run(signed, run_id) as run,
            measured([BIN / "datacrumbs_wrap", "--run-id", run_id, *bench.percall, library], env) as traced,
        ):
            plain.append(traced.cost("plain_001", CALLS))
            marked.append(traced.cost("marked_001", CALLS))
        run.trace.unlink()
    push, endbr = min(plain) - min(base), min(marked) - min(base)
    return [
        Figure("traced user function that begins with push: added", push, "ns"),
        Figure("  with endbr64: added", endbr, "ns"),
        Figure("  endbr64 over push", endbr / push, "x", most=2),
    ]
