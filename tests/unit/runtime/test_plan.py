"""The plan is pure: what is attached follows from the probes, the kernel's features and the files alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from datacrumbs.core.errors import KernelError
from datacrumbs.core.kernelprobes import KernelFunction
from datacrumbs.core.probes import Binary, Function, Probe, ProbeSet, Syscall
from datacrumbs.runtime.plan import MAX_PERF_FUNCTIONS, MAX_TRAMPOLINES, Features, Inspected, make_plan

SESSION = Features("session")


def probe_set(functions: int, syscalls: int = 1) -> ProbeSet:
    calls = tuple(Probe(f"call{i}", "POSIX", "syscall", Syscall(f"call{i}", i)) for i in range(syscalls))
    places = tuple(Probe(f"f{i}", "C", "uprobe", Function(0, 0x1000 + 16 * i, f"f{i}")) for i in range(functions))
    return ProbeSet("x86_64", calls + places, (Binary("/lib/a.so", "ab"),))


def test_functions_of_a_file_are_attached_together() -> None:
    """One group for a file, offsets and ids side by side, ids as in the probes file."""
    plan = make_plan(probe_set(3), SESSION, [Inspected(5)], "x86_64")
    assert plan.syscalls == (0,)
    (group,) = plan.groups
    assert (group.path, group.descriptor) == ("/lib/a.so", 5)
    assert group.offsets == (0x1000, 0x1010, 0x1020)
    assert group.ids == (1, 2, 3)
    assert plan.links == "session"
    assert plan.attached == 4


def test_a_probe_sits_where_the_probes_file_says() -> None:
    """The probe of a function whose first instructions are dear to stop at is a few bytes behind its entry."""
    probes = probe_set(1)
    moved = replace(probes.probes[1], target=Function(0, 0x1010, "f1", skip=4))
    plan = make_plan(replace(probes, probes=(*probes.probes, moved)), SESSION, [Inspected(5)], "x86_64")
    assert plan.groups[0].offsets == (0x1000, 0x1014)


def test_where_exceptions_may_pass_only_functions_with_known_exits_are_probed() -> None:
    """A return probe would abort the program, so a function without known exits is refused, with the reason."""
    plan = make_plan(probe_set(2), SESSION, [Inspected(5, exits={0x1000: (0x1008, 0x100C)})], "x86_64")
    assert plan.groups[0].exits == ((0x1008, 1), (0x100C, 1))
    assert plan.groups[0].ids == (1,)
    assert [item.name for item in plan.refused] == ["f1"]
    assert "exceptions" in plan.refused[0].reason


def test_a_problem_with_a_file_refuses_its_functions_and_no_others() -> None:
    """The rest of the run goes on, and each refused function has its reason."""
    plan = make_plan(probe_set(2), SESSION, [Inspected(-1, "/lib/a.so has changed")], "x86_64")
    assert plan.groups == ()
    assert plan.links is None
    assert [(item.name, item.reason) for item in plan.refused] == [(f"f{i}", "/lib/a.so has changed") for i in (0, 1)]


def test_perf_uprobes_are_capped() -> None:
    """Each detaches in 0.1 s and cannot be killed meanwhile: never more than the named limit."""
    files = [Inspected(5)]
    assert make_plan(probe_set(MAX_PERF_FUNCTIONS), Features("perf"), files, "x86_64").links == "perf"
    plan = make_plan(probe_set(MAX_PERF_FUNCTIONS + 1), Features("perf"), files, "x86_64")
    assert plan.groups == ()
    assert "6.6" in plan.refused[0].reason


@pytest.mark.parametrize(
    ("machine", "syscalls", "features", "words"),
    [("aarch64", 1, SESSION, "this machine is aarch64"), ("x86_64", 0, Features(None), "no uprobes")],
)
def test_a_plan_that_attaches_nothing_is_an_error(machine: str, syscalls: int, features: Features, words: str) -> None:
    """Another architecture, or nothing left to attach."""
    with pytest.raises(KernelError, match=words):
        make_plan(probe_set(1, syscalls), features, [Inspected(5)], machine)


def kernel_set(count: int) -> ProbeSet:
    functions = tuple(Probe(f"k{i}", "vfs", "kprobe", KernelFunction(f"k{i}")) for i in range(count))
    return ProbeSet("x86_64", functions)


def places(probes: ProbeSet) -> dict[KernelFunction, int | str]:
    return {p.target: 0x1000 + i for i, p in enumerate(probes.probes) if isinstance(p.target, KernelFunction)}


def test_kernel_functions_are_attached_at_their_addresses() -> None:
    """One that the kernel does not let be traced is refused with the reason, and the others are attached."""
    probes = kernel_set(3)
    found = places(probes) | {KernelFunction("k1"): "the kernel does not let k1 be traced"}
    plan = make_plan(probes, Features(None, kernel_links="session"), [], "x86_64", found)
    assert plan.kernel == (0, 2)
    assert plan.addresses == {0: 0x1000, 2: 0x1002}
    assert [(item.name, item.reason) for item in plan.refused] == [("k1", "the kernel does not let k1 be traced")]


def test_trampolines_are_capped() -> None:
    """Each is loaded by itself: never more than the named limit."""
    few, many = kernel_set(MAX_TRAMPOLINES), kernel_set(MAX_TRAMPOLINES + 1)
    features = Features(None, kernel_links="trampoline")
    assert make_plan(few, features, [], "x86_64", places(few)).attached == MAX_TRAMPOLINES
    with pytest.raises(KernelError, match="CONFIG_FPROBE"):
        make_plan(many, features, [], "x86_64", places(many))


def test_a_kernel_without_any_way_says_what_it_lacks() -> None:
    probes = kernel_set(1)
    with pytest.raises(KernelError, match=r"neither kprobe_multi \(CONFIG_FPROBE\) nor fentry"):
        make_plan(probes, Features(None), [], "x86_64", places(probes))
