// How long the calls of each function took: one row a function, all on one logarithmic scale.
function latencyView() {
  const body = byId("latency-body");
  if (!latencyCells.rows) return void fill(body, empty("No call has a duration."));
  const used = latencyCells.bucket;
  const low = used.reduce((a, b) => Math.min(a, b), 255), high = used.reduce((a, b) => Math.max(a, b), 0) + 1;
  const axis = el("canvas", { class: "dist", "aria-hidden": "true" });
  let rows = [];

  const rowsOf = () => {
    const buckets = latencyOf(firstBin(), lastBin()), times = sumsOf(firstBin(), lastBin()).fn.time;
    return functions.map((row, fn) => {
      const calls = buckets[fn].reduce((a, b) => a + b, 0), last = buckets[fn].findLastIndex((n) => n > 0);
      const exact = selection.whole && row.p50 !== undefined;
      return { fn, calls, time: times[fn], buckets: buckets[fn], exact,
        p50: exact ? row.p50 : quantile(buckets[fn], 0.5), p90: Math.min(quantile(buckets[fn], 0.9), exact ? row.p99 : Infinity), p99: exact ? row.p99 : quantile(buckets[fn], 0.99),
        longest: exact ? row.max : bucketNs(last + 1) };
    }).filter(({ calls, time }) => calls && time);
  };
  const about = (row, ns) => (row.exact ? duration(ns) : `≈ ${duration(ns)}`);
  const table = sortable({
    label: "Durations by function", sort: 2, shown: 14, rows: (rows = rowsOf()),
    columns: [
      { name: "Function", value: ({ fn }) => functionName(fn), cell: ({ fn }) => el("span", { class: "name" }, swatch(toneOf(fn)), el("code", {}, functionName(fn))) },
      { name: "Calls", num: true, value: ({ calls }) => calls, cell: ({ calls }) => count(calls) },
      { name: "Time", num: true, value: ({ time }) => time, cell: ({ time }) => duration(time) },
      { name: "p50", num: true, value: ({ p50 }) => p50, cell: (row) => about(row, row.p50) },
      { name: "p90", num: true, value: ({ p90 }) => p90, cell: (row) => `≈ ${duration(row.p90)}` },
      { name: "p99", num: true, value: ({ p99 }) => p99, cell: (row) => about(row, row.p99) },
      { name: "Longest", num: true, value: ({ longest }) => longest, cell: (row) => (row.exact ? duration(row.longest) : `< ${duration(row.longest)}`) },
      { name: axis, spoken: "Distribution", class: "axis", cell: (row) => {
        const canvas = el("canvas", { class: "dist", role: "img", "aria-label": `${functionName(row.fn)}: half of the calls took up to ${duration(row.p50)}, 99 % up to ${duration(row.p99)}, the longest ${duration(row.longest)}` });
        canvas.row = row;
        return canvas;
      } },
    ],
  });
  table.table.classList.add("latency-table");
  body.append(table.node, el("p", { class: "readout" }, "≈ is from buckets whose limits are a factor of 1.19 apart, so it is right within 9 %; without it, a duration is exact."));

  const x = (ns, width) => ((Math.log2(Math.max(1, ns)) * report.latency.per_octave - low) / (high - low)) * width;
  const ticks = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12].filter((ns) => ns >= bucketNs(low) && ns <= bucketNs(high));
  const draw = () => {
    const head = canvasContext(axis);
    head.context.fillStyle = tone("var(--muted)");
    const every = Math.max(1, Math.ceil((ticks.length * 58) / head.width));
    ticks.forEach((ns, index) => {
      if (index % every) return;
      const label = duration(ns), place = x(ns, head.width);
      head.context.fillText(label, Math.min(head.width - head.context.measureText(label).width, place + 3), head.height / 2);
    });
    for (const canvas of table.table.querySelectorAll("td canvas")) drawRow(canvas);
  };
  const drawRow = (canvas) => {
    const { context, width, height } = canvasContext(canvas), { row } = canvas;
    context.fillStyle = tone("var(--line)");
    for (const ns of ticks) context.fillRect(Math.round(x(ns, width)), 0, 1, height);
    const most = Math.max(...row.buckets), slice = width / (high - low);
    context.fillStyle = tone(toneOf(row.fn));
    for (let bucket = low; bucket < high; bucket++) {
      const share = row.buckets[bucket] / most;
      if (share) context.fillRect((bucket - low) * slice, height - 2 - Math.max(1.5, Math.sqrt(share) * (height - 8)), Math.max(1, slice - 0.6), Math.max(1.5, Math.sqrt(share) * (height - 8)));
    }
    context.fillStyle = tone("var(--strong-line)");
    context.fillRect(0, height - 2, width, 1);
    for (const [ns, length] of [[row.p50, height], [row.p99, height * 0.7], [row.longest, height * 0.4]]) {
      context.fillStyle = tone("var(--ink)");
      context.fillRect(Math.min(width - 2, Math.round(x(ns, width))), height - length, 1.5, length);
    }
  };
  table.table.addEventListener("drawn", draw);
  view(byId("latency"), () => { rows = rowsOf(); table.update(rows); });
  resized.observe(axis);
}
