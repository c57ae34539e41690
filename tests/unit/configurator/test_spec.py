"""The host YAML: upstream's files load unchanged, and each mistake is told with its place."""

from __future__ import annotations

import pytest
from datacrumbs.configurator.pattern import Pattern
from datacrumbs.configurator.spec import Spec, parse
from datacrumbs.core.errors import DataError
from hypothesis import given
from hypothesis import strategies as st

UPSTREAM = rb"""
capture_probes:
  - {name: sys, probe: syscalls, type: header, file: /usr/src/kernels/6/include/linux/syscalls.h, regex: "sys_.*"}
  - {name: os_page_cache, probe: kprobe, type: header, file: /usr/src/kernels/6/include/linux/pagemap.h}
  - {name: iomap, probe: kprobe, type: ksym, regex: "^iomap(?!.*cold).*"}
  - {name: vol, probe: uprobe, type: binary, file: /opt/lib/libhdf5.so, regex: "H5VL.*", include_offsets: true}
  - {name: python, probe: usdt, type: usdt, binary_path: /usr/lib/libpython3.so, provider: python}
  - name: mine
    probe: custom
    type: custom
    file: /site/mine.bpf.c
    probes: /site/mine.json
    process_header: /site/mine.h
    start_event_id: 100000
    event_type: 4
    enable_explorer: true
    function_arguments: [a, b]
"""


def one(text: str) -> Spec:
    return parse(f"capture_probes:\n  - {text}\n".encode(), "h.yaml")


def test_every_form_of_upstream_loads_unchanged() -> None:
    entries = parse(UPSTREAM, "h.yaml").entries
    assert [e.probe for e in entries] == ["syscalls", "kprobe", "kprobe", "uprobe", "usdt", "custom"]
    assert entries[3].include_offsets
    assert entries[0].place == "h.yaml:3:5"


WHOLE = rb"""
name: lead
user: alice
install_dir: /home/alice/datacrumbs/install
data_dir: /home/alice/datacrumbs/data
mode: tracer
trace_file_path: /scratch/alice/logs/trace.pfw
trace_log_dir: /scratch/alice/logs
inclusion_path: /scratch
capture_probes:
  - name: libc
    probe: uprobe
    type: binary
    file: /usr/lib64/libc.so.6
    regex: ^(?!.*dl)(?!.*_IO_)(?!.*pthread)(?!.*cold)(?!__).*
  - name: module
    probe: kprobe
    type: binary
    file: /usr/lib/modules/6.1.0/kernel/fs/orangefs/orangefs.ko
    regex: ^(?!.*\.cold$).*$
    disable: true
  - name: sys
    probe: syscalls
    type: header
    file: /usr/src/kernels/6/include/linux/syscalls.h
    regex: ^sys_(openat|openat2|read|write)$
    disable: false
profiling_interval: 0.0001
"""


def test_a_whole_file_of_upstream_loads_and_says_what_means_nothing() -> None:
    """Keys at the top are taken over, or told with their places; disabled entries are left out."""
    spec = parse(WHOLE, "h.yaml")
    assert [entry.name for entry in spec.entries] == ["libc", "sys"]
    assert (spec.mode, spec.interval_ns) == ("trace", 10_000_000)
    places = [note.split(": ")[0] for note in spec.notes]
    assert places == [f"h.yaml:{line}:{column}" for line, column in
                      [(2, 7), (3, 7), (4, 14), (5, 11), (7, 18), (8, 16), (9, 17), (28, 21)]]  # fmt: skip
    assert all("means nothing here: " in note for note in spec.notes[:-1])
    assert "'profiling_interval' of 0.0001 s is taken as 10 ms" in spec.notes[-1]


@pytest.mark.parametrize(
    ("lines", "mode", "interval"),
    [
        ("mode: profiler\nprofiling_interval: 0.25", "profile", 250_000_000),
        ("mode: profile\nprofiling_interval: 5", "profile", 5_000_000_000),
        ("mode: tracer\nprofiling_interval: 7200", "trace", 60_000_000_000),
        ("mode: trace\ninterval: 50ms\nprofiling_interval: 5", "trace", 50_000_000),
    ],
)
def test_modes_and_intervals_of_upstream(lines: str, mode: str, interval: int) -> None:
    spec = parse(f"capture_probes: [{{name: a, probe: syscalls}}]\n{lines}".encode(), "h.yaml")
    assert (spec.mode, spec.interval_ns) == (mode, interval)


def test_category_is_the_name_of_the_entry_unless_it_is_given() -> None:
    assert one("{name: io, probe: syscalls}").entries[0].category == "io"
    assert one("{name: io, probe: syscalls, category: POSIX}").entries[0].category == "POSIX"


def test_the_usual_type_need_not_be_written() -> None:
    assert one("{name: io, probe: syscalls}").entries[0].type == "kernel"
    assert one("{name: io, probe: uprobe, file: libc.so.6}").entries[0].type == "binary"


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [("0", 0), ("500ns", 500), ("10us", 10_000), ("1ms", 1_000_000), ("1.5 ms", 1_500_000), ("2s", 2_000_000_000)],
)
def test_durations(text: str, nanoseconds: int) -> None:
    spec = parse(f"capture_probes: [{{name: a, probe: syscalls}}]\nmin_duration: {text}\n".encode(), "h.yaml")
    assert spec.min_duration_ns == nanoseconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("probe: syscalls", "h.yaml:2:5: 'name' is missing"),
        ("{name: a}", "h.yaml:2:5: 'probe' is missing"),
        ("a", "h.yaml:2:5: a mapping"),
        ("{name: a, probe: syscall}", "h.yaml:2:22: 'syscall' is not one of syscalls, uprobe"),
        (
            "{name: a, probe: syscalls, type: binary}",
            "h.yaml:2:38: probe: syscalls takes its names from type: kern",
        ),
        ("{name: a, probe: uprobe}", "h.yaml:2:5: 'file' is missing"),
        ("{name: a, probe: uprobe, file: lib/x.so}", "h.yaml:2:36: 'lib/x.so' is not an absolute path"),
        ("{name: a, probe: syscalls, regx: b}", "h.yaml:2:32: unknown key 'regx'"),
        ("{name: a, probe: syscalls, regex: '('}", "h.yaml:2:39: not a regular expression: missing )"),
        ("{name: a, probe: syscalls, regex: '*'}", "h.yaml:2:39: not a regular expression"),
        ("{name: a, probe: syscalls, regex: [a]}", "h.yaml:2:39: a text is wanted here, this is a list"),
        ("{name: a, probe: syscalls, exclude: [a, '[']}", "h.yaml:2:45: not a regular expression"),
        ("{name: a, probe: syscalls, include_offsets: 7}", "h.yaml:2:49: true or false"),
        (f"{{name: {'a' * 300}, probe: syscalls}}", "h.yaml:2:12: a text of 1 to 256 characters"),
    ],
)
def test_each_mistake_in_an_entry_has_its_place(text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        one(text)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("capture_probes: []", "h.yaml:1:17: the list is empty"),
        ("capture_probes: {}", "h.yaml:1:17: a list is wanted here, this is a mapping"),
        ("captureprobes: []", "h.yaml:1:1: unknown key 'captureprobes'"),
        ("mode: trace", "h.yaml:1:1: 'capture_probes' is missing"),
        ("capture_probes: [{name: a, probe: syscalls, disable: 1}]", "h.yaml:1:54: true or false is wanted"),
        ("capture_probes: [{name: a, probe: syscalls, disable: yes}]", "h.yaml:1:17: every entry is disabled"),
        ("profiling_interval: soon\ncapture_probes: [{name: a, probe: syscalls}]", "h.yaml:1:21: a number of seconds"),
        ("mode: fast\ncapture_probes: [{name: a, probe: syscalls}]", "h.yaml:1:7: 'fast' is not one of trace"),
        ("min_duration: 5\ncapture_probes: [{name: a, probe: syscalls}]", "h.yaml:1:15: a time up to one hour"),
        ("min_duration: 2h\ncapture_probes: [{name: a, probe: syscalls}]", "h.yaml:1:15: a time up to one hour"),
        ("min_duration: 0.1ns\ncapture_probes: [{name: a, probe: syscalls}]", "h.yaml:1:15: a time up to one hour"),
        ("min_duration: -1us\ncapture_probes: [{name: a, probe: syscalls}]", "h.yaml:1:15: a time up to one hour"),
    ],
)
def test_each_mistake_at_the_top_has_its_place(text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        parse(text.encode(), "h.yaml")
    assert caught.value.message.startswith(message)


def test_patterns_fit_whole_names_and_are_blind_to_case() -> None:
    assert Pattern("h5vl.*").fits("H5VLfile_open")
    assert not Pattern("read").fits("pread")
    assert Pattern("^iomap(?!.*cold).*").fits("iomap_read")
    assert not Pattern("^iomap(?!.*cold).*").fits("iomap_read.cold")
    assert Pattern("[[:alpha:]]+").fits("abc")


def test_a_pattern_that_never_ends_is_stopped() -> None:
    with pytest.raises(DataError, match="takes too long"):
        Pattern(r"(?:a|aa)+\d").fits("a" * 60)


@given(st.text("()[]{}*+?|\\^$.a-z0,:=!<", max_size=30))
def test_any_text_is_a_pattern_or_a_value_error(text: str) -> None:
    try:
        pattern = Pattern(text)
    except ValueError:
        return
    try:
        pattern.fits("read")
    except DataError as error:
        assert "takes too long" in error.message


@given(
    st.dictionaries(
        st.sampled_from(["name", "probe", "type", "file", "regex", "exclude", "category", "include_offsets", "x"]),
        st.sampled_from(["a", "syscalls", "uprobe", "binary", "[a]", "{}", "7", "/lib/x", "", "'('", "true", "[[a]]"]),
    )
)
def test_any_entry_loads_or_is_refused_with_a_place(members: dict[str, str]) -> None:
    text = ", ".join(f"{key}: {value}" for key, value in members.items())
    try:
        one(f"{{{text}}}")
    except DataError as error:
        assert error.message.startswith("h.yaml:2:")


def test_the_mode_and_what_belongs_to_it() -> None:
    """Modes, interval and rate limit are read; by default every call is traced."""
    head = "capture_probes: [{name: io, probe: syscalls}]\n"
    plain = parse(head.encode(), "host.yaml")
    assert (plain.mode, plain.interval_ns, plain.rate_limit) == ("trace", 1_000_000_000, 10_000)
    auto = parse(f"{head}mode: auto\ninterval: 250ms\nrate_limit: 500".encode(), "host.yaml")
    assert (auto.mode, auto.interval_ns, auto.rate_limit) == ("auto", 250_000_000, 500)


@pytest.mark.parametrize("line", ["mode: fast", "interval: 1ms", "interval: 61s", "interval: 0", "rate_limit: 0"])
def test_modes_that_make_no_sense_are_refused_with_their_place(line: str) -> None:
    with pytest.raises(DataError, match=r"host\.yaml:2:"):
        parse(f"capture_probes: [{{name: io, probe: syscalls}}]\n{line}".encode(), "host.yaml")
