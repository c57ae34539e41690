// The question that a report is opened for, answered first: where the I/O time went, and why.
function answerView() {
  const body = byId("answer");
  view(byId("glance"), () => {
    const [first, last] = [firstBin(), lastBin()];
    const sums = sumsOf(first, last), total = sums.total.time[0];
    if (!total) return void fill(body, empty(selection.whole ? "No I/O call was traced." : "No I/O call was made in the selected time."));
    const fn = mostTime(sums.fn.time, (at) => functions[at]?.counted);
    fill(body, el("p", { class: "answer" }, `${shareOfTime(total)} ${percent(sums.fn.time[fn] / total)} of the time in I/O is ${functionName(fn)}.`),
      el("div", { class: "sides" }, kindsOfTime(sums.fn), mostOfIt(fn, sums, fileSumsOf(first, last), total)), functions[fn].name ? whyItTook(fn, first, last) : null);
  });
}

function shareOfTime(total) {
  if (!selection.whole) return `In the selected ${selected()}, I/O calls took ${duration(total)}, summed over threads.`;
  const { io_busy_ns: busy, io_wall_ns: anyone, wall_ns: run } = report.header;
  const many = report.with_io;
  if (many < 2 || !busy) return `I/O takes ${percent(anyone / Math.max(1, run))} of this run: ${duration(anyone)} of ${duration(run)}.`;
  return `I/O takes ${percent(busy / Math.max(1, many * run))} of the time of ${count(many)} processes, and ${percent(anyone / Math.max(1, run))} of the run has at least one of them in an I/O call.`;
}

// Where most of the time is, of the places that are allowed; -1: nowhere.
const mostTime = (times, allowed) => times.reduce((top, time, at) => (time > (top < 0 ? 0 : times[top]) && allowed(at) ? at : top), -1);

// What the calls that the totals count were for, as one bar.
function kindsOfTime(sums) {
  const times = kindTimes(sums, ({ counted }) => counted), total = Math.max(1, times.reduce((a, b) => a + b, 0));
  const used = [...times.keys()].filter((kind) => times[kind]);
  return el("div", {}, el("h3", {}, "What it was for"), kindStack(times, 1),
    el("dl", { class: "ladder-rows kinds" }, used.map((kind) => el("div", {},
      el("dt", {}, swatch(kindTone(kind)), kinds[kind]), el("dd", { class: "muted words" }, kindWords[kinds[kind]]),
      el("dd", { class: "num" }, duration(times[kind])), el("dd", { class: "num muted" }, percent(times[kind] / total))))));
}

const kindWords = { read: "bytes in", write: "bytes out", sync: "waiting until data is safe", metadata: "open, close, stat, seek …", other: "all else" };

// Time by what functions do, of those that are asked for.
function kindTimes(sums, wanted) {
  const times = new Float64Array(kinds.length);
  functions.forEach((row, fn) => { if (wanted(row)) times[row.kind] += sums.time[fn]; });
  return times;
}

// One bar of all kinds; `share`: how long it is, of the longest.
function kindStack(times, share) {
  const total = Math.max(1, times.reduce((a, b) => a + b, 0));
  const used = [...times.keys()].filter((kind) => times[kind]);
  const text = used.map((kind) => `${kinds[kind]} ${percent(times[kind] / total)}`).join(", ");
  return el("span", { class: "stack kinds", role: "img", "aria-label": text || "no time", title: text },
    used.map((kind) => el("i", { vars: { share: String((times[kind] / total) * share), tone: kindTone(kind) } })));
}

// The function, the file and the process with the most time.
function mostOfIt(fn, sums, fileSums, total) {
  const file = mostTime(fileSums.time, (at) => at < report.file_cells.files && at < report.paths.length), proc = mostTime(sums.proc.time, (at) => !processes[at].others);
  const row = (what, of, at) => (at < 0 ? null : el("div", {},
    el("dt", {}, what, el("span", { class: "muted" }, of.calls[at] === 1 ? ` 1 call, ${duration(of.time[at])}` : ` ${count(of.calls[at])} calls, ${duration(of.time[at] / Math.max(1, of.calls[at]))} each`)),
    el("dd", { class: "num" }, percent(of.time[at] / total)), el("dd", { class: "of" }, bar(of.time[at] / total, "var(--accent)"))));
  return el("div", {}, el("h3", {}, "Where most of it is"), el("dl", { class: "most" },
    row(el("code", {}, functionName(fn)), sums.fn, fn), row(el("code", {}, file < 0 ? "" : pathText(report.paths[file] || "a file without a name")), fileSums, file),
    row(el("strong", {}, processName(proc)), sums.proc, proc)));
}

// In which of the calls inside the function the time is, as far as they were traced.
function whyItTook(fn, first, last) {
  const known = report.explanations.find((explanation) => explanation.function === functions[fn].name);
  const words = selection.whole && known ? known.sentences.slice(0, 2).map(visible).join(" ") : insideSentence(functions[fn].name, first, last);
  return el("div", { class: "why" }, el("h3", {}, "Why"), el("p", {}, words, " ",
    el("button", { type: "button", class: "small", on: { click: () => explainFunction(functions[fn].name) } }, `Explain ${functionName(fn)}`)));
}
