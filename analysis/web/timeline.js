// Which thread was in which call: sums of fine slices from afar, single calls from near.
const AXIS = 26;
const SINGLES = 9000; // single calls that are drawn at once before sums take their place

const singles = (() => {
  const { rows } = report.calls;
  const lane = unpackSorted(report.calls.lane, rows);
  const at = unpackSigned(report.calls.at, rows);
  for (let row = 1; row < rows; row++) at[row] += at[row - 1];
  const starts = new Uint32Array(report.lanes.process.length + 1);
  lane.forEach((number) => { starts[number + 1]++; });
  for (let number = 0; number < starts.length - 1; number++) starts[number + 1] += starts[number];
  return { rows, lane, at, starts, dur: unpack(report.calls.dur, rows), ns: unpack(report.calls.ns, rows), fn: unpack(report.calls.fn, rows),
    file: unpack(report.calls.file, rows), ret: unpackSigned(report.calls.ret, rows), depth: unpack(report.calls.depth, rows) };
})();

const far = (() => {
  const { rows, bins, layers } = report.timeline;
  const key = unpackSorted(report.timeline.key, rows);
  const starts = new Uint32Array(report.lanes.process.length * layers + 1);
  key.forEach((value) => { starts[Math.floor(value / bins) + 1]++; });
  for (let strip = 0; strip < starts.length - 1; strip++) starts[strip + 1] += starts[strip];
  return { starts, layers, bin: key.map((value) => value % bins), fn: unpack(report.timeline.fn, rows), fill: unpack(report.timeline.fill, rows) };
})();

// Work that the kernel does for a process elsewhere lies on lanes of its own, numbered from here (docs/trace-format.md).
const KERNEL_LANES = 10_000_000;
const laneName = (tid) => (tid >= KERNEL_LANES ? `kernel, for it ${tid - KERNEL_LANES + 1}` : `thread ${tid ?? ""}`);

// Every call of these parts of the run is among the single calls.
const everyCallIn = (from, to) => report.calls.windows.some(({ begin_us: low, end_us: high }) => from >= low && to <= high);

function singleText(row) {
  const fn = singles.fn[row], ret = singles.ret[row], counted = functions[fn];
  const moved = kinds[counted.kind] === "read" || kinds[counted.kind] === "write" ? `, ${size(Math.max(0, ret))}` : "";
  const failed = ret < 0 && ret >= -4095 ? `, failed (${ret})` : moved;
  return `${functionName(fn)}: ${duration(singles.ns[row])}${failed}`;
}

function timelineView() {
  const body = byId("timeline-body");
  if (!report.lanes.process.length) return void fill(body, empty("No call was traced, so there is nothing to lay out in time."));
  const subRows = new Map(layersPresent.map((layer, place) => [layer, place]));
  const stripe = layersPresent.length > 3 ? 6 : layersPresent.length > 1 ? 9 : 18;
  const rowHeight = Math.max(24, layersPresent.length * stripe + 6);
  const lanesOf = new Map();
  report.lanes.process.forEach((process, lane) => lanesOf.set(process, [...(lanesOf.get(process) ?? []), lane]));
  const open = new Set(report.lanes.process.length <= 12 ? lanesOf.keys() : []);
  let rows = [], hover = -1;

  const canvas = el("canvas", { class: "chart tl-canvas", id: "timeline-canvas", tabIndex: 0, role: "application", "aria-roledescription": "timeline",
    "aria-label": "Calls by thread over time. Left and right move the selected time, plus and minus zoom, Escape shows the whole run. The longest calls are in the table below.", "aria-describedby": "timeline-note" });
  const labels = el("div", { class: "tl-labels" });
  const scroller = el("div", { class: "tl", tabIndex: -1 }, el("div", { class: "tl-grid" }, labels, el("div", {}, canvas)));
  const note = el("p", { class: "readout", id: "timeline-note" });
  const zoom = (factor, middle = (selection.from + selection.to) / 2) => {
    const length = Math.min(SPAN, Math.max(20, (selection.to - selection.from) * factor)), share = (middle - selection.from) / (selection.to - selection.from);
    const from = Math.max(0, Math.min(SPAN - length, middle - share * length));
    select(from, from + length);
  };
  const pan = (share) => {
    const length = selection.to - selection.from, from = Math.max(0, Math.min(SPAN - length, selection.from + share * length));
    select(from, from + length);
  };
  const button = (text, label, action) => el("button", { type: "button", "aria-label": label, title: label, on: { click: action } }, text);
  const jumps = report.calls.windows.filter(({ kind }) => kind !== "all").map((window) => {
    const why = { slowest: `slowest ${functionName(window.fn)}: ${duration(window.ns)}`, error: `first failed call: ${functionName(window.fn)}`,
      busiest: "most calls", asked: `asked for: ${exactly(window.begin_us, window.end_us - window.begin_us)}` }[window.kind];
    return el("button", { type: "button", class: "small", on: { click: () => select(window.begin_us, window.end_us) } }, why);
  });
  body.append(
    el("div", { class: "tools" }, el("span", { class: "group" }, button("+", "Zoom in", () => zoom(0.5)), button("−", "Zoom out", () => zoom(2)), button("←", "Earlier", () => pan(-0.5)), button("→", "Later", () => pan(0.5)), button("All", "Show the whole run", showAll)), tonesLegend()),
    jumps.length ? el("div", { class: "tools" }, el("span", { class: "muted small-text" }, "Every call is here for:"), el("span", { class: "chips" }, jumps)) : "",
    scroller, note);
  byId("timeline-lead").textContent = report.calls.threshold_ns
    ? `Drag to zoom in. Calls of ${duration(report.calls.threshold_ns)} and longer are drawn one by one everywhere, all calls inside the windows below; elsewhere a colour says which function filled most of a slice of ${duration(report.timeline.width_us * 1000)}, and how full it was.`
    : "Drag to zoom in, down to the single calls: every one of this trace is here.";

  function layOut() {
    rows = [];
    for (const [process, lanes] of lanesOf) {
      const many = lanes.length > 1;
      rows.push({ process, lanes: many && open.has(process) ? [] : lanes, many });
      if (many && open.has(process)) for (const lane of lanes) rows.push({ process, lanes: [lane], thread: lane });
    }
    fill(labels, rows.map((row) => {
      const name = row.thread === undefined ? processName(row.process) : laneName(report.lanes.tid[row.thread]);
      const cut = name.lastIndexOf(" ", name.indexOf(" @ ") < 0 ? undefined : name.indexOf(" @ ") - 1);
      const toggle = row.many ? el("button", { type: "button", "aria-expanded": String(open.has(row.process)), "aria-label": `Threads of ${processName(row.process)}`, on: { click: () => {
        if (!open.delete(row.process)) open.add(row.process);
        layOut();
        draw();
      } } }, open.has(row.process) ? "▾" : "▸") : null;
      row.height = row.lanes.length ? rowHeight : 22;
      return el("div", { class: row.thread === undefined ? "tl-row" : "tl-row thread", vars: { height: `${row.height}px` }, title: name }, toggle, el("span", { class: "label" }, name.slice(0, cut)), el("span", { class: "id" }, name.slice(cut + 1)));
    }));
    let y = AXIS;
    for (const row of rows) { row.y = y; y += row.height; }
    rows.total = y;
  }

  const length = () => selection.to - selection.from;
  function draw() {
    const [from, to] = [selection.from, selection.to];
    const { context, width, height } = canvasContext(canvas, Math.min(rows.total, printing ? rows.total : 494));
    const x = (us) => ((us - from) / (to - from)) * width;
    const shift = scroller.scrollTop;
    const complete = everyCallIn(from, to), inView = countIn(from, to);
    const single = complete && inView <= SINGLES;
    context.fillStyle = tone("var(--line)");
    for (const row of rows) {
      const y = row.y - shift;
      if (y + row.height < AXIS || y > height) continue;
      context.fillStyle = tone("var(--line)");
      context.fillRect(0, y + row.height - 1, width, 1);
      for (const lane of row.lanes) {
        if (!single) drawFar(context, lane, y + 3, x, from, to, row.lanes.length);
        drawSingles(context, lane, y + 3, x, from, to, width, single);
      }
    }
    context.fillStyle = tone("var(--surface)");
    context.fillRect(0, 0, width, AXIS);
    timeAxis(context, { left: 0, width, from, to, y: 12, bottom: AXIS });
    if (canvas.pending) {
      const [low, high] = [...canvas.pending].sort((a, b) => a - b);
      context.fillStyle = tone("var(--accent)");
      context.globalAlpha = 0.18;
      context.fillRect(x(low), 0, x(high) - x(low), height);
      context.globalAlpha = 1;
    }
    canvas.dataset.mode = single ? "single" : "sums";
    const far = (to - from) / width;
    note.textContent = single ? `${count(inView)} calls in ${selected()}: every one is drawn.`
      : complete ? `${count(inView)} calls in ${selected()}: zoom in to tell them apart.`
        : far * 12 < report.timeline.width_us
          ? `Closer than the sums of ${duration(report.timeline.width_us * 1000)}: make the report again with --window ${(from / 1e6).toFixed(6)}:${(to / 1e6).toFixed(6)} to have every call here.`
          : `${selected()} shown; the fuller a slice, the stronger its colour.`;
  }

  function countIn(from, to) {
    let found = 0;
    for (let row = 0; row < singles.rows; row++) if (singles.at[row] <= to && singles.at[row] + singles.dur[row] >= from) found++;
    return found;
  }

  function drawFar(context, lane, top, x, from, to, together) {
    const { width_us: slice, full } = report.timeline;
    for (const [layer, place] of subRows) {
      const strip = lane * far.layers + layer;
      for (let cell = far.starts[strip]; cell < far.starts[strip + 1]; cell++) {
        const begin = far.bin[cell] * slice;
        if (begin > to) break;
        if (begin + slice < from) continue;
        context.globalAlpha = (0.22 + 0.78 * Math.sqrt(far.fill[cell] / full)) / (together > 1 ? Math.sqrt(together) : 1);
        context.fillStyle = tone(toneOf(far.fn[cell]));
        const left = x(begin);
        context.fillRect(left, top + place * stripe, Math.max(1, x(begin + slice) - left), stripe - 1);
      }
    }
    context.globalAlpha = 1;
  }

  function drawSingles(context, lane, top, x, from, to, width, all) {
    for (let row = singles.starts[lane]; row < singles.starts[lane + 1]; row++) {
      const end = singles.at[row] + singles.dur[row];
      if (singles.at[row] > to) break;
      if (end < from) continue;
      const left = Math.max(-2, x(singles.at[row])), wide = Math.min(width + 2, x(Math.max(end, singles.at[row] + 0.3))) - left;
      if (!all && wide < 3) continue;
      const fn = singles.fn[row], place = subRows.get(functions[fn].layer), inset = Math.min(3, sameLayerDepth(row));
      context.fillStyle = tone(toneOf(fn));
      context.fillRect(left, top + place * stripe + inset, Math.max(1, wide - (wide > 5 ? 1 : 0)), stripe - 1 - inset);
      if (singles.ret[row] < 0 && singles.ret[row] >= -4095) {
        context.fillStyle = tone("var(--bad)");
        context.fillRect(left, top + place * stripe, Math.max(2, Math.min(wide, 4)), 3);
      }
      if (stripe >= 15 && wide > 46) {
        context.fillStyle = tone("var(--surface)");
        context.textAlign = "left";
        context.fillText(clip(context, functionName(fn), wide - 10), Math.max(left, 0) + 5, top + place * stripe + stripe / 2);
      }
    }
  }

  // How many calls of its own layer a call lies in: rows of a thread are in the order of begin and depth.
  function sameLayerDepth(row) {
    let deep = 0, depth = singles.depth[row];
    for (let above = row - 1; depth > 0 && above >= singles.starts[singles.lane[row]] && row - above < 64; above--) {
      if (singles.depth[above] >= depth) continue;
      depth = singles.depth[above];
      if (functions[singles.fn[above]].layer === functions[singles.fn[row]].layer) deep++;
    }
    return deep;
  }

  const timeAt = (event) => {
    const box = canvas.getBoundingClientRect();
    return selection.from + Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * length();
  };
  function hit(event) {
    const y = event.clientY - canvas.getBoundingClientRect().top + scroller.scrollTop;
    const row = rows.find((candidate) => y >= candidate.y && y < candidate.y + candidate.height);
    if (!row?.lanes.length) return null;
    const layer = layersPresent[Math.max(0, Math.min(layersPresent.length - 1, Math.floor((y - row.y - 3) / stripe)))];
    const time = timeAt(event), slack = length() / canvas.clientWidth;
    let best = -1;
    for (const lane of row.lanes) for (let single = singles.starts[lane]; single < singles.starts[lane + 1]; single++) {
      if (singles.at[single] - slack > time) break;
      if (singles.at[single] + singles.dur[single] + slack >= time && functions[singles.fn[single]].layer === layer && (best < 0 || singles.depth[single] >= singles.depth[best])) best = single;
    }
    const visibleSingle = best >= 0 && (canvas.dataset.mode === "single" || singles.dur[best] / slack >= 3);
    return { row, layer, time, single: visibleSingle ? best : -1 };
  }
  function sumText({ row, layer, time }) {
    const bin = Math.floor(time / report.timeline.width_us);
    for (const lane of row.lanes) {
      const strip = lane * far.layers + layer;
      for (let cell = far.starts[strip]; cell < far.starts[strip + 1]; cell++) {
        if (far.bin[cell] === bin) return `mostly ${functionName(far.fn[cell])}: ${percent(far.fill[cell] / report.timeline.full)} of ${duration(report.timeline.width_us * 1000)} filled`;
      }
    }
    return "";
  }
  dragSelects(canvas, timeAt);
  canvas.addEventListener("pending", draw);
  canvas.addEventListener("dblclick", showAll);
  canvas.addEventListener("pointermove", (event) => {
    const found = hit(event);
    const what = !found ? "" : found.single >= 0 ? `${singleText(found.single)}\n${pathName(singles.file[found.single])}` : sumText(found);
    tip(what && `${what}\n${processName(found.row.process)}, at ${exactly(found.time, length())}`, event.clientX, event.clientY);
  });
  canvas.addEventListener("pointerleave", () => tip(""));
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.25 : 0.8, timeAt(event));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const action = { ArrowLeft: () => pan(-0.25), ArrowRight: () => pan(0.25), "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), Home: () => pan(-1e9), End: () => pan(1e9),
      ArrowUp: () => { scroller.scrollTop -= 60; }, ArrowDown: () => { scroller.scrollTop += 60; } }[event.key];
    if (!action || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    action();
  });
  scroller.addEventListener("scroll", draw);
  layOut();
  view(byId("timeline"), draw);
  resized.observe(canvas);
  longestCalls(body);
}

// The longest single calls of the selected time, for those who would rather read than hover.
function longestCalls(body) {
  const rowsOf = () => selectedSingles(() => true).slice(0, 100).map((row) => ({ row }));
  const table = singlesTable("Longest calls", rowsOf(), 8);
  body.append(el("h3", {}, "Longest calls"), table.node);
  view(byId("timeline"), () => table.update(rowsOf()));
}

// Single calls of the selected time, the longest first.
function selectedSingles(wanted) {
  const found = [];
  for (let row = 0; row < singles.rows; row++) {
    if (singles.at[row] <= selection.to && singles.at[row] + singles.dur[row] >= selection.from && wanted(row)) found.push(row);
  }
  return found.sort((a, b) => singles.ns[b] - singles.ns[a]);
}

function singlesTable(label, rows, shown) {
  return sortable({
    label, sort: 1, shown, rows,
    columns: [
      { name: "Call", value: ({ row }) => functionName(singles.fn[row]), cell: ({ row }) => el("span", { class: "name" }, swatch(toneOf(singles.fn[row])), el("code", {}, functionName(singles.fn[row]))) },
      { name: "Took", num: true, value: ({ row }) => singles.ns[row], cell: ({ row }) => duration(singles.ns[row]) },
      { name: "At", num: true, value: ({ row }) => singles.at[row], cell: ({ row }) => exactly(singles.at[row], SPAN / 1000) },
      { name: "Process", value: ({ row }) => processName(report.lanes.process[singles.lane[row]]), cell: ({ row }) => processName(report.lanes.process[singles.lane[row]]) },
      { name: "File", value: ({ row }) => pathName(singles.file[row]), cellClass: "path", cell: ({ row }) => (singles.file[row] < report.paths.length ? pathText(report.paths[singles.file[row]]) : nothing()) },
      { name: "", spoken: "Zoom", cell: ({ row }) => el("button", { type: "button", class: "small", "aria-label": `Zoom to this ${functionName(singles.fn[row])}`, on: { click: () => {
        const around = Math.max(10, singles.dur[row]);
        select(singles.at[row] - around, singles.at[row] + singles.dur[row] + around);
      } } }, "Zoom") },
    ],
  });
}
