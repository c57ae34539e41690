"""What this kernel can do, for people: what `datacrumbs_cluster_setup --check` shows of a node."""

from __future__ import annotations

from datacrumbs.core.kernelprobes import KernelFunction
from datacrumbs.runtime.features import find_event_links, find_features, find_kernel_links
from datacrumbs.runtime.ksyms import addresses
from datacrumbs.runtime.plan import MAX_TRAMPOLINES
from datacrumbs.runtime.programs import Programs
from datacrumbs.runtime.providers import syscalls

_WORDS = {
    "session": "sessions",
    "multi": "uprobe_multi",
    "perf": "at most 64",
    "cookie": "yes",
    "fixed": "yes, without cookies",
}
_KERNEL_WORDS = {"session": "sessions", "multi": "kprobe_multi", "trampoline": f"at most {MAX_TRAMPOLINES}"}
_SOME = KernelFunction("vfs_read")


def survey() -> dict[str, str]:
    """Tries each mechanism.

    Returns:
        By what it is for, whether and how it works.

    Raises:
        KernelError: not even system calls can be traced.
    """
    with Programs({syscalls.OBJECT: syscalls.wanted(calls=True)}, {}):
        states = {"system calls": "yes"}
    links = find_features(None).function_links
    states["user functions"] = _WORDS.get(links or "", "no")
    states["kernel tracepoints"] = _WORDS.get(find_event_links(), "no")
    place = addresses([_SOME]).get(_SOME)
    kernel = find_kernel_links(place, _SOME.symbol) if isinstance(place, int) else None
    states["kernel functions"] = _KERNEL_WORDS.get(kernel or "", "no")
    return states
