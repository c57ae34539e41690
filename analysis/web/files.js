// The files with the most time, by absolute path.
function filesView() {
  const body = byId("files-body");
  if (!report.files.length) return void fill(body, empty("No traced call was about a file with a name."));
  const about = new Map(report.files.map((entry) => [entry.file, entry]));
  const patterns = new Map((report.patterns ?? []).map((entry) => [entry.file, entry]));
  const search = el("input", { type: "search", placeholder: "part of a path", "aria-label": "Show files whose path contains" });
  const left = el("span", { class: "muted push", "aria-live": "polite" });

  const activity = new Map();
  for (let row = 0; row < fileCells.rows; row++) {
    const file = fileCells.file[row];
    if (!activity.has(file)) activity.set(file, new Float64Array(grid.bins));
    activity.get(file)[fileCells.bin[row]] += fileCells.time[row];
  }
  const rowsOf = () => {
    const sums = fileSumsOf(firstBin(), lastBin());
    const wanted = search.value.toLowerCase();
    const rows = report.files.map(({ file }) => ({ file, ...Object.fromEntries(SUMS.map((name) => [name, sums[name][file]])) }))
      .filter(({ file, calls, time }) => (calls || time) && pathName(file).toLowerCase().includes(wanted));
    left.textContent = `${count(rows.length)} of ${count(report.header.files)} files`;
    return rows;
  };
  const columns = [
    { name: "File", value: ({ file }) => pathName(file), cellClass: "path", cell: ({ file }) => pathText(report.paths[file] || "a file without a name") },
    { name: "Calls", num: true, value: ({ calls }) => calls, cell: ({ calls }) => count(calls) },
    { name: "Failed", num: true, value: ({ failed }) => failed, cell: ({ failed }) => failedText(failed) },
    { name: "Time", num: true, value: ({ time }) => time, cell: ({ time }) => duration(time) },
    { name: "Read", num: true, value: ({ read }) => read, cell: ({ read }) => bytesText(read) },
    { name: "Written", num: true, value: ({ written }) => written, cell: ({ written }) => bytesText(written) },
    { name: "Processes", num: true, value: ({ file }) => about.get(file).processes, cell: ({ file }) => count(about.get(file).processes) },
    { name: "When", cell: ({ file }) => {
      const canvas = el("canvas", { class: "spark", "aria-hidden": "true" });
      canvas.values = activity.get(file);
      return canvas;
    } },
  ];
  if (patterns.size) columns.splice(1, 0, { name: "Access (whole run)", value: ({ file }) => patterns.get(file)?.word ?? "", cell: ({ file }) => patternText(patterns.get(file)) });
  const table = sortable({ label: "Files", sort: columns.findIndex(({ name }) => name === "Time"), shown: 20, rows: rowsOf(), columns });
  const draw = () => { for (const canvas of table.table.querySelectorAll("canvas")) drawSpark(canvas); };
  table.table.addEventListener("drawn", draw);
  body.append(el("div", { class: "tools" }, search, left), table.node);
  search.addEventListener("input", () => table.update(rowsOf()));
  view(byId("files"), () => table.update(rowsOf()));
  placesTable(body);
  usesTable(body);
  orderBar(body);
}

// How a file was used, over the whole run: in which order, in which sizes, and what is unusual about it.
function patternText(pattern) {
  if (!pattern) return nothing();
  const calls = pattern.reads + pattern.writes, steps = pattern.sequential + pattern.strided + pattern.random;
  const tags = [pattern.common_share >= 0.5 ? `${size(pattern.common_size)} each` : "many sizes"];
  if (pattern.small >= 0.9 * calls) tags.push("small");
  if (pattern.placed >= 0.5 * calls && pattern.aligned <= 0.5 * pattern.placed) tags.push("unaligned");
  if (pattern.again_bytes > 0 && pattern.again_bytes >= pattern.extent) tags.push(`read ${(1 + pattern.again_bytes / Math.max(1, pattern.extent)).toFixed(1)} times over`);
  const text = steps ? `${percent(pattern.sequential / steps)} sequential, ${percent(pattern.strided / steps)} strided, ${percent(pattern.random / steps)} random` : "one call for each thread";
  return el("span", { class: "tags", title: `${text}; ${count(pattern.reads)} reads, ${count(pattern.writes)} writes` },
    el("span", { class: `tag ${pattern.word}` }, pattern.word), tags.map((tag) => el("span", { class: "tag" }, tag)));
}

// When a file was in use, with the selection on it.
function drawSpark(canvas) {
  const { context, width, height } = canvasContext(canvas);
  const most = canvas.values ? Math.max(...canvas.values) : 0;
  context.fillStyle = tone("var(--sunken)");
  context.fillRect(0, 0, width, height);
  canvas.values?.forEach((value, bin) => {
    if (!value) return;
    context.fillStyle = tone(bin >= firstBin() && bin < lastBin() ? "var(--accent)" : "var(--strong-line)");
    const length = Math.max(2, Math.sqrt(value / most) * height);
    context.fillRect((bin / grid.bins) * width, height - length, Math.max(1, width / grid.bins), length);
  });
}
