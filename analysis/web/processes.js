// Which process started which, how it ended, and what it did in the selected time.
function processesView() {
  const body = byId("processes-body");
  if (!processes.length) return void fill(body, empty("The trace names no process."));
  const keyOf = ({ host, pid }) => `${host}\u0000${pid}`;
  const lives = new Map();
  processes.forEach((process, number) => lives.set(keyOf(process), [...(lives.get(keyOf(process)) ?? []), number]));
  // Of several processes that had the id one after another, the one that had begun last.
  const parentOf = ({ host, parent, start }) => (lives.get(keyOf({ host, pid: parent })) ?? [])
    .filter((number) => !processes[number].life || (processes[number].start ?? 0) <= (start ?? 0))
    .sort((a, b) => processes[a].life - processes[b].life).at(-1);
  const children = new Map();
  const roots = [];
  processes.forEach((process, number) => {
    const parent = process.parent === null || process.others ? undefined : parentOf(process);
    if (parent === undefined || parent === number) roots.push(number);
    else children.set(parent, [...(children.get(parent) ?? []), number]);
  });
  const order = [];
  const seen = new Set();
  const walk = (number, deep) => {
    const stack = [[number, deep]];
    while (stack.length) {
      const [at, level] = stack.pop();
      if (seen.has(at)) continue;
      seen.add(at);
      order.push([at, level]);
      for (const child of [...(children.get(at) ?? [])].sort((a, b) => (processes[b].start ?? 0) - (processes[a].start ?? 0))) stack.push([child, level + 1]);
    }
  };
  roots.sort((a, b) => (processes[a].start ?? 0) - (processes[b].start ?? 0)).forEach((root) => walk(root, 0));
  processes.forEach((_, number) => walk(number, 0));

  const SHOWN = 40;
  let all = false;
  const rows = el("tbody");
  const heads = ["Process", "Command", "Threads", "Calls", "Time in I/O", "Read", "Written", "Lived", "Ended"];
  const numeric = new Set(["Threads", "Calls", "Time in I/O", "Read", "Written"]);
  const more = el("button", { type: "button", class: "more", on: { click: () => { all = !all; draw(); } } });
  body.append(el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Process tree" }, el("table", {},
    el("caption", { class: "hidden" }, "Process tree"),
    el("thead", {}, el("tr", {}, heads.map((name) => el("th", { scope: "col", class: numeric.has(name) ? "num" : "" }, name)))), rows)), more);

  function draw() {
    const sums = sumsOf(firstBin(), lastBin()).proc;
    const shown = all ? order : order.slice(0, SHOWN);
    fill(rows, shown.map(([number, deep]) => {
      const process = processes[number], has = number < PROCESSES;
      const from = Math.max(0, process.start ?? 0), to = Math.min(SPAN, process.end ?? SPAN);
      const away = to < selection.from || from > selection.to;
      return el("tr", { class: away ? "faint" : "" },
        el("td", {}, el("span", { class: "tree", vars: { deep: String(Math.min(deep, 12)) } }, deep ? el("span", { class: "muted", "aria-hidden": "true" }, "└") : null, el("strong", {}, processName(number)))),
        el("td", {}, el("span", { class: "command" }, visible(process.command ?? ""))),
        el("td", { class: "num" }, process.threads ? count(process.threads) : nothing()),
        el("td", { class: "num" }, has && sums.calls[number] ? count(sums.calls[number]) : nothing()),
        el("td", { class: "num" }, has && sums.time[number] ? duration(sums.time[number]) : nothing()),
        el("td", { class: "num" }, bytesText(has ? sums.read[number] : 0)),
        el("td", { class: "num" }, bytesText(has ? sums.written[number] : 0)),
        el("td", {}, el("span", { class: "life", title: `${exactly(from, SPAN)} to ${exactly(to, SPAN)}` }, el("i", { vars: { from: String(from / SPAN), length: String(Math.max(0, to - from) / SPAN) } }))),
        el("td", {}, endText(process)));
    }));
    more.hidden = order.length <= SHOWN;
    more.textContent = all ? `Show the first ${SHOWN}` : `Show all ${order.length}`;
  }
  view(byId("processes"), draw);
}

function endText(process) {
  if (process.signal) return el("span", { class: "errors" }, `signal ${process.signal}`);
  if (process.exit) return el("span", { class: "errors" }, `exit ${process.exit}`);
  if (process.exit === 0) return el("span", { class: "muted" }, "well");
  return el("span", { class: "muted" }, process.end === null || process.end === undefined ? "not seen" : "–");
}
