// Where the time went: every path through functions, from the job at the top to the innermost calls.
function layersView() {
  const body = byId("layers-body");
  if (!functions.length) return void fill(body, empty("No call was traced. Was a process brought under tracing with ", el("code", {}, "datacrumbs_wrap"), "?"));
  byId("layers-lead").textContent = layersPresent.length > 1
    ? "The job's time in traced calls, summed over threads. A block below another is a call inside it; what a block has no block below is its own time. Choose a block to look into it."
    : "The job's time in traced calls, summed over threads. This trace has one layer: trace libraries or the kernel as well, and their time stands above and below it.";
  if (report.lanes.tid.some((tid) => tid >= KERNEL_LANES)) byId("layers-lead").append(" Between double lines is what the kernel did elsewhere for a thread while the call above ran, such as requests at the device; at the top, what it did while no call ran.");
  const chart = el("div", { class: "icicle", role: "group", "aria-label": "Time by path, from the job to the innermost calls. Arrow keys go from block to block, Enter looks into one." });
  const detail = el("div", { class: "icicle-detail", "aria-live": "polite" });
  const ladder = el("div", { class: "ladder" });
  body.append(tonesLegend(), chart, detail, ladder);
  icicle(chart, detail);
  if (layersPresent.length > 1) ownTimes(ladder);
  modulesTable(body);
  body.append(el("h3", {}, "Functions"));
  functionsTable(body);
}

function icicle(chart, detail) {
  const { parent, fn } = report.tree;
  const children = new Map();
  parent.forEach((above, node) => children.set(above, [...(children.get(above) ?? []), node]));
  const pathOf = (node) => (node < 0 ? [] : [...pathOf(parent[node]), node]);
  let sums = null, into = -1, current = -1;

  // What the kernel did in threads of its own or in interrupts: below the calls that ran meanwhile, or at the top.
  const kernelLanes = report.lanes.tid.some((tid) => tid >= KERNEL_LANES), waited = new Set(report.tree.elsewhere);
  const elsewhere = (node) => waited.has(node) || node >= 0 && parent[node] < 0 && kernelLanes && functions[fn[node]]?.layer > layerPlace.get("system calls");
  const timeOf = (node) => (node < 0 ? sums.total : sums.time[node]);
  const nameOf = (node) => (node < 0 ? "job" : fn[node] < 0 ? "other paths" : functionName(fn[node]));
  const layerText = (node) => (node >= 0 && functions[fn[node]] ? ` (${layerNames[functions[fn[node]].layer].name})` : "");
  function tell(node) {
    const parts = [`${duration(timeOf(node))}, ${percent(timeOf(node) / Math.max(1, sums.total))} of the job's time in calls${elsewhere(node) ? ", by the kernel elsewhere" : ""}`];
    if (node >= 0) parts.push(`${duration(sums.own[node])} of it its own`, ...(sums.calls[node] ? [`${count(sums.calls[node])} calls, ${duration(sums.time[node] / sums.calls[node])} each`] : []));
    return parts.join("; ");
  }
  function show(node) {
    fill(detail, el("p", {}, pathOf(node).length ? pathOf(node).flatMap((step, place) => [place ? el("span", { class: "muted" }, " › ") : "", el("code", {}, nameOf(step))]) : el("code", {}, "job")),
      el("p", { class: "muted" }, `${tell(node)}.`));
  }

  function draw() {
    const rows = [];
    const put = (node, depth, from, width) => {
      (rows[depth] ??= []).push({ node, from, width });
      let left = from;
      const inner = (children.get(node) ?? []).filter((child) => sums.time[child] > 0).sort((a, b) => elsewhere(a) - elsewhere(b) || sums.time[b] - sums.time[a]);
      for (const child of inner) {
        const share = (sums.time[child] / Math.max(1, timeOf(node))) * width;
        if (share > 0.0012) put(child, depth + 1, left, share);
        left += share;
      }
    };
    const around = pathOf(into).slice(0, -1);
    [-1, ...around].slice(0, into < 0 ? 0 : undefined).forEach((node, depth) => { rows[depth] = [{ node, from: 0, width: 1 }]; });
    put(into, into < 0 ? 0 : around.length + 1, 0, 1);
    chart.style.height = `${rows.length * 28 - 2}px`;
    const cells = rows.flatMap((row, depth) => row.map(({ node, from, width }) => el("button", {
      type: "button", class: `icicle-cell${width < 0.035 ? " thin" : ""}${elsewhere(node) ? " elsewhere" : ""}`, tabIndex: -1, "aria-label": `${nameOf(node)}${layerText(node)}: ${tell(node)}`,
      vars: { from: String(from), share: String(width), row: String(depth), tone: node < 0 ? "var(--job)" : toneOf(fn[node]) },
      on: {
        click: () => { into = node === into ? (node < 0 ? -1 : parent[node]) : node; current = node; draw(); focusOn(current); },
        focus: () => { current = node; show(node); },
        keydown: (event) => move(event, node, rows, depth),
        pointermove: (event) => tip(`${nameOf(node)}${layerText(node)}\n${tell(node)}`, event.clientX, event.clientY), pointerleave: () => tip(""),
      },
    }, width < 0.035 ? "" : nameOf(node))));
    cells.forEach((cell, index) => { cell.node = rows.flat()[index].node; });
    fill(chart, cells);
    (cells.find((cell) => cell.node === current) ?? cells[0]).tabIndex = 0;
    show(cells.some((cell) => cell.node === current) ? current : into);
  }
  function focusOn(node) {
    const cell = [...chart.children].find((candidate) => candidate.node === node);
    if (!cell) return;
    for (const other of chart.children) other.tabIndex = -1;
    cell.tabIndex = 0;
    cell.focus();
  }
  function move(event, node, rows, depth) {
    const row = rows[depth], place = row.findIndex((cell) => cell.node === node);
    const target = { ArrowLeft: () => row[place - 1]?.node, ArrowRight: () => row[place + 1]?.node, ArrowUp: () => (node < 0 ? undefined : parent[node]),
      ArrowDown: () => rows[depth + 1]?.find((cell) => cell.from >= row[place].from - 1e-9)?.node }[event.key];
    if (!target) return;
    event.preventDefault();
    const next = target();
    if (next !== undefined) focusOn(next);
  }
  view(byId("layers"), () => { sums = treeOf(firstBin(), lastBin()); draw(); });
}

// What each layer took itself: without the calls inside its calls.
function ownTimes(ladder) {
  view(byId("layers"), () => {
    const { own } = treeOf(firstBin(), lastBin());
    const times = new Map(layersPresent.map((layer) => [layer, 0]));
    report.tree.fn.forEach((fn, node) => { if (functions[fn]) times.set(functions[fn].layer, times.get(functions[fn].layer) + own[node]); });
    const total = [...times.values()].reduce((a, b) => a + b, 0), most = Math.max(1, ...times.values());
    fill(ladder, el("h3", {}, "Own time of each layer"), el("dl", { class: "ladder-rows" }, [...times].map(([layer, time]) => el("div", {},
      el("dt", {}, swatch(layerTone(layer)), layerNames[layer].name), el("dd", {}, bar(time / most, layerTone(layer))),
      el("dd", { class: "num" }, duration(time)), el("dd", { class: "num muted" }, percent(time / Math.max(1, total)))))));
  });
}
