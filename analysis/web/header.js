// What run this is, whether the trace is complete, and its figures for the selected time.
function headerView() {
  const { header } = report;
  byId("title").textContent = visible(report.title);
  const hosts = header.hosts.length > 3 ? `${header.hosts.slice(0, 3).map(visible).join(", ")} and ${header.hosts.length - 3} more hosts` : header.hosts.map(visible).join(", ");
  byId("subtitle").textContent = [
    header.users.length ? `of ${header.users.map(visible).join(", ")}` : "", hosts ? `on ${hosts}` : "",
    header.started_us ? `from ${date(header.started_us)}${header.wall_ns >= 1e9 ? ` to ${date(header.started_us + header.wall_ns / 1000).slice(header.wall_ns < 80000e9 ? 11 : 0)}` : ""}` : "", `${duration(header.wall_ns)} long`,
    `${count(header.processes)} processes, ${count(header.threads)} threads, ${count(header.files)} files`,
  ].filter(Boolean).join(" · ");
  byId("command").textContent = commandLine();
  byId("complete").append(verdict(report.completeness));
  const [run] = report.runs;
  byId("foot").append(
    el("p", {}, `From ${report.sources.map(visible).join(", ")}${run ? `, by DataCrumbs ${visible(run.version)} with ${count(run.probes ?? 0)} probes` : ""}.`),
    el("p", {}, `Sums are of ${grid.bins} slices of ${duration(grid.width_us * 1000)} each; a call counts in the slice in which it begins, its time in all slices that it lies in. Totals, heatmap and processes count the calls of ${header.total_categories.map(visible).join(", ") || "no category"} alone, so that each byte counts once.`),
    el("p", {}, "Made by datacrumbs_analyze report. This file needs nothing but itself and asks nothing of any network."));
  view(byId("glance"), tiles);
}

// What was run: the command of the first process that no other of the trace started.
function commandLine() {
  const known = new Set(processes.map(({ host, pid }) => `${host}\u0000${pid}`));
  const roots = processes.filter((process) => process.command && !known.has(`${process.host}\u0000${process.parent}`)).sort((a, b) => (a.start ?? 0) - (b.start ?? 0));
  if (!roots.length) return "";
  return visible(roots[0].command) + (roots.length > 1 ? ` (and ${count(roots.length - 1)} more)` : "");
}

function tiles() {
  const { header } = report;
  const sums = sumsOf(firstBin(), lastBin());
  const [calls, failed, time, read, written] = SUMS.map((name) => sums.total[name][0]);
  const long = (lastBin() - firstBin()) * grid.width_us, seconds = Math.min(long, SPAN) / 1e6;
  const entries = [
    ["Time in I/O calls", duration(time), selection.whole ? `${duration(header.io_wall_ns)} with a process in I/O` : `summed over threads`],
    ["Read", size(read), `${bandwidth(read / seconds)} over this time`],
    ["Written", size(written), `${bandwidth(written / seconds)} over this time`],
    selection.whole
      ? ["Bandwidth in I/O", bandwidth(header.bytes_per_s_io), `${bandwidth(header.bytes_per_s_wall)} over the whole time`]
      : ["Bandwidth", bandwidth((read + written) / seconds), "over this time"],
    ["Calls", count(calls), `${count(calls / seconds)} per second`],
    ["Failed calls", count(failed), failed ? `${percent(failed / Math.max(1, calls))} of all` : "none"],
  ];
  fill(byId("tiles"), entries.map(([name, value, note]) => el("div", { class: "tile" },
    el("dt", {}, name), el("dd", { class: "value" }, value), el("dd", { class: "note" }, note))));
}

// The line of the summary: yes, not quite, NO or unknown, and what is missing.
function verdict(facts) {
  const gaps = [];
  for (const [name, lost] of Object.entries(facts.lost_by_function)) gaps.push(`${count(lost)} calls of ${visible(name)} lost`);
  if (report.profiled) gaps.push(`${count(report.profiled)} calls were only added up in the kernel (profile mode): they are in all sums, by process, function, file and duration, but not among single calls, in the timeline and in the sizes of requests`);
  if (facts.missed_returns) gaps.push(`${count(facts.missed_returns)} calls whose return was missed`);
  if (facts.missing) gaps.push(`${count(facts.missing)} events were written and are not in the files`);
  if (facts.unwritten) gaps.push(`${count(facts.unwritten)} lines could not be written`);
  if (facts.unnamed) gaps.push(`${count(facts.unnamed)} calls on files that had no name any more`);
  if (facts.min_duration_ns) gaps.push(`calls shorter than ${duration(facts.min_duration_ns)} were not written`);
  if (facts.refused_count) gaps.push(`${count(facts.refused_count)} ${facts.refused_count === 1 ? "probe" : "probes"} refused: ${facts.refused.slice(0, 5).map(visible).join("; ")}`);
  for (const name of facts.unclosed) gaps.push(`${visible(name)} has no closing record: its runtime still runs, or was killed`);
  if (facts.broken_lines) gaps.push(`${count(facts.broken_lines)} lines are no record`);
  gaps.push(...facts.notes.map(visible));
  if (report.clocks) gaps.push(`clocks: ${visible(report.clocks)}`);
  const [kind, mark, text] = facts.captured === null
    ? ["", "?", `Completeness unknown: another tool wrote this trace; ${count(facts.read)} events read.`]
    : facts.lost ? ["bad", "!", `Not complete: ${count(facts.lost)} of ${count(facts.captured + facts.lost)} events were lost, so counts and sums are too small.`]
      : facts.complete ? ["good", "✓", `Complete: ${count(facts.captured)} events captured, none lost.`]
        : ["warn", "!", `Not quite complete: ${count(facts.read)} events read, none known to be lost.`];
  return el("div", { class: `verdict ${kind}` }, el("span", { class: "mark", "aria-hidden": "true" }, mark),
    el("div", {}, el("p", {}, text), gaps.length ? el("ul", {}, gaps.slice(0, 12).map((gap) => el("li", {}, gap))) : null));
}
