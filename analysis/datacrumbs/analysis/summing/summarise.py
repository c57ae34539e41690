"""Makes the summary of opened traces: its tables are sums of their tally."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from datacrumbs.analysis import layers
from datacrumbs.analysis.reading import schema
from datacrumbs.analysis.reading.catalog import Process, ProcessKey
from datacrumbs.analysis.reading.clocks import clocks
from datacrumbs.analysis.reading.columns import Function, chunks
from datacrumbs.analysis.reading.completeness import judge
from datacrumbs.analysis.reading.spans import united
from datacrumbs.analysis.reading.trace import Traces
from datacrumbs.analysis.summing.gain import Busy, Spans, gain
from datacrumbs.analysis.summing.gather import Gathered, of_traces
from datacrumbs.analysis.summing.groups import Groups
from datacrumbs.analysis.summing.summary import CategoryRow, FileRow, FunctionRow, Header, ProcessRow, Summary
from datacrumbs.analysis.summing.tally import Tally


def summarise(traces: Traces | Gathered) -> Summary:
    """The whole summary of opened traces; cutting its tables to the top N is the reporter's work."""
    whole = of_traces(traces) if isinstance(traces, Traces) else traces
    categories = _categories(whole.tally)
    chosen = layers.totals((row.category for row in categories), from_kernel=bool(whole.catalog.runs))
    busy = whole.busy(sorted(chosen))
    counted = whole.tally.of(chosen)
    processes = _processes(counted, whole.catalog.processes, busy)
    files = _files(counted)
    header = _header(whole, [row for row in categories if row.category in chosen], processes, files, busy)
    functions = _functions(whole)
    return Summary(
        header=header,
        completeness=judge(whole),
        clocks=clocks(whole.catalog.runs),
        categories=tuple(categories),
        functions=tuple(functions),
        files=tuple(files),
        processes=tuple(processes),
        insight=gain(whole, header, functions, processes, busy),
    )


def _categories(tally: Tally) -> list[CategoryRow]:
    names = list(dict.fromkeys(function.category for function in tally.functions))
    groups = Groups(tally.by_function([names.index(function.category) for function in tally.functions]))
    rows = [
        CategoryRow(names[number], layers.layer_of(names[number]), *totals)
        for number, totals in zip(groups.numbers, tally.totals(groups), strict=True)
    ]
    return sorted(rows, key=lambda row: (-row.time_ns, row.category))


def _functions(whole: Gathered) -> list[FunctionRow]:
    tally = whole.tally
    spread = dict(zip(whole.functions, whole.quantiles(), strict=True))
    if schema.KIND_PROFILE in whole.counts:
        spread |= {
            Function(name, category): q
            for category, name, q in whole.database.execute("SELECT cat, name, q FROM profiled_spread").fetchall()
        }
    groups = Groups(tally.columns["function"])
    longest = groups.most(tally.columns["longest"])
    rows = []
    for number, most, (calls, errors, time, *moved) in zip(groups.numbers, longest, tally.totals(groups), strict=True):
        function = tally.functions[number]
        if function in spread:  # else all that is known of it is a profile that does not say how long its calls were
            p50, p99 = (min(one, most) for one in spread[function])
            times = time, round(time / calls), p50, p99, most
            rows.append(FunctionRow(function.category, function.name, calls, errors, *times, *moved))
    return sorted(rows, key=lambda row: (-row.time_ns, row.category, row.function))


def _files(tally: Tally) -> list[FileRow]:
    groups = Groups(tally.columns["file"])
    columns = zip(groups.numbers, groups.kinds(tally.columns["process"]), tally.totals(groups), strict=True)
    rows = [FileRow(tally.paths[number], processes, *totals) for number, processes, totals in columns if number]
    return sorted(rows, key=lambda row: (-row.time_ns, row.path))


def _processes(tally: Tally, known: Mapping[ProcessKey, Process], busy: Busy) -> list[ProcessRow]:
    groups, threads = Groups(tally.columns["process"]), tally.threads()
    rows = []
    for number, (calls, errors, time, *moved) in zip(groups.numbers, tally.totals(groups), strict=True):
        key = tally.processes[number]
        who = known.get(key, Process())
        numbers = max(1, threads[number]), calls, errors, time, _length(busy.get(number)), *moved
        rows.append(ProcessRow(*key, who.name, who.command, *numbers))
    return sorted(rows, key=lambda row: (-row.time_ns, row.host, row.pid is None, row.pid, row.life))


def _length(spans: Spans | None) -> int:
    """What spans that do not overlap, in microseconds, are together, in nanoseconds."""
    if not spans:
        return 0
    begin, end = spans
    return 1000 * sum(int((end[some] - begin[some]).sum()) for some in chunks(len(end)))


def _header(
    traces: Gathered, totals: list[CategoryRow], processes: list[ProcessRow], files: list[FileRow], busy: Busy
) -> Header:
    runs, threads = traces.catalog.runs, traces.tally.threads()
    first, last = _span(traces)
    wall = 1000 * (last - first)
    in_io = sum(row.busy_ns for row in processes)
    io_wall = _length(united(list(busy.values()), traces.room)) if busy else 0
    moved = sum(row.bytes_read + row.bytes_written for row in totals)
    known = traces.catalog.processes.keys() | {row.key for row in processes}
    hosts = {key.host for key in known}
    return Header(
        runs=_distinct(run.run_id for run in runs),
        hosts=tuple(sorted(hosts - {""})) or _distinct(str(run.opening.get("host") or "") for run in runs),
        users=_distinct(str(run.opening.get("user") or "") for run in runs),
        started_us=first,
        wall_ns=wall,
        processes=len(known),
        threads=sum(max(1, threads[number]) for number in Groups(traces.tally.columns["process"]).numbers),
        files=len(files),
        calls=sum(row.calls for row in totals),
        total_categories=tuple(sorted(row.category for row in totals)),
        bytes_read=sum(row.bytes_read for row in totals),
        bytes_written=sum(row.bytes_written for row in totals),
        bytes_copied=sum(row.bytes_copied for row in totals),
        io_time_ns=sum(row.time_ns for row in totals),
        io_busy_ns=in_io,
        io_wall_ns=io_wall,
        bytes_per_s_io=_per_second(moved, io_wall),
        bytes_per_s_wall=_per_second(moved, wall),
    )


def _span(traces: Gathered) -> tuple[int, int]:
    """From the first to the last thing that a process did, in microseconds since 1970."""
    lived, columns = traces.catalog.lived, traces.tally.columns
    known = [lived] if lived else []
    if len(columns["first"]):
        known.append((int(columns["first"].min()), int(columns["last"].max())))
    return min((first for first, _ in known), default=0), max((last for _, last in known), default=0)


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))


def _per_second(amount: int, time_ns: int) -> float:
    return amount * 1e9 / time_ns if time_ns else 0.0
