// What is inside the calls of a function in the selected time: from the sums of paths, for any function and any time.
const fnsOf = (name) => new Set(functions.flatMap((row, fn) => (row.name === name ? [fn] : [])));

// The paths below all calls of a function, put together; each with calls, own time, and time with what is inside it.
function insideOf(name, first, last) {
  const { parent, fn } = report.tree, wanted = fnsOf(name), sums = treeOf(first, last);
  const root = { fn: [...wanted][0], depth: 0, calls: 0, own: 0, time: 0, inner: new Map() };
  const placeOf = new Map();
  parent.forEach((above, node) => {
    let place = placeOf.get(above);
    if (place) {
      if (!place.inner.has(fn[node])) place.inner.set(fn[node], { fn: fn[node], depth: place.depth + 1, calls: 0, own: 0, time: 0, inner: new Map() });
      place = place.inner.get(fn[node]);
    } else if (wanted.has(fn[node])) place = root;
    else return;
    placeOf.set(node, place);
    for (const column of ["calls", "own", "time"]) place[column] += sums[column][node];
  });
  const rows = [];
  const walk = (place) => {
    rows.push(place);
    [...place.inner.values()].filter(({ time, calls }) => time || calls).sort((a, b) => b.time - a.time).forEach(walk);
  };
  walk(root);
  return rows;
}

// In one sentence: whose own time most of the time is.
function insideSentence(name, first, last) {
  const rows = insideOf(name, first, last), [{ time, calls }] = rows;
  if (!time) return `No call of ${visible(name)} in this time.`;
  const own = new Map();
  for (const row of rows) own.set(row.fn, (own.get(row.fn) ?? 0) + row.own);
  const [fn, most] = [...own].sort((a, b) => b[1] - a[1])[0];
  const whose = functions[fn]?.name === name
    ? rows.length > 1 ? "its own, in none of the traced calls inside it" : "its own: no call inside it was traced"
    : `${functionName(fn)}'s own (layer: ${layerNames[functions[fn].layer].name})`;
  return `${percent(most / time)} of the ${duration(time)} in ${count(calls)} calls of ${visible(name)} is ${whose}.`;
}

function insidePanel(name) {
  const [first, last] = [firstBin(), lastBin()];
  const rows = insideOf(name, first, last), [{ time, calls }] = rows;
  if (!calls && !time) return [empty(`No call of ${visible(name)} in the selected time.`)];
  const layers = layersPresent.map((layer) => ({ layer: layerNames[layer].name, exclusive_ns: rows.reduce((sum, row) => sum + (functions[row.fn].layer === layer ? row.own : 0), 0) }));
  return [
    el("p", { class: "verdict-line" }, insideSentence(name, first, last)),
    el("h3", {}, `All ${count(calls)} calls, by layer`), layerBars(layers.filter(({ exclusive_ns: own }) => own), { total_ns: time }),
    el("h3", {}, "Inside them"), insideTree(rows, time, calls),
    el("h3", {}, "The longest of them"), longestOf(name),
  ];
}

function insideTree(rows, time, calls) {
  const heads = ["Calls", "For each", "Time", "Own time"].map((head) => el("th", { scope: "col", class: "num" }, head));
  return el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Tree of the calls inside" }, el("table", { class: "call-tree" },
    el("caption", { class: "hidden" }, "Tree of the calls inside"),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Function"), heads, el("th", { scope: "col" }, el("span", { class: "hidden" }, "Share of the time")))),
    el("tbody", {}, rows.slice(0, 60).map((row) => el("tr", {},
      el("td", {}, el("span", { class: "tree", vars: { deep: String(Math.min(row.depth, 14)) } }, swatch(layerTone(functions[row.fn].layer)), el("code", {}, functionName(row.fn)))),
      el("td", { class: "num" }, count(row.calls)), el("td", { class: "num muted" }, row.depth ? `${(row.calls / Math.max(1, calls)).toFixed(2)} ×` : ""),
      el("td", { class: "num" }, duration(row.time)), el("td", { class: "num muted" }, duration(row.own)),
      el("td", {}, bar(row.time / Math.max(1, time), layerTone(functions[row.fn].layer))))))));
}

// The longest single calls of a function in the selected time that the report has.
function longestOf(name) {
  const wanted = fnsOf(name), rows = selectedSingles((row) => wanted.has(singles.fn[row])).slice(0, 12);
  return rows.length ? singlesTable("The longest calls of this function", rows.map((row) => ({ row })), 12).node
    : el("p", { class: "muted" }, "The report has no single call of it in the selected time.");
}
