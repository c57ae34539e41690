// What is inside the calls of a function: in words, by layer, and as the tree of a typical and of a slow call. Of a part
// of the run, and of functions that are not explained, it is what the sums say (inside.js).
let explainFunction = () => {};
function explainView() {
  const body = byId("explain-body");
  const { explanations } = report;
  if (!explanations.length) return void fill(body, empty("There is no call to explain."));
  const panel = el("div", { id: "explain-panel" });
  const names = explanations.map((explanation) => explanation.function);
  const others = [...new Set(functions.map(({ name }) => name))].filter((name) => name && !names.includes(name));
  let chosen = names[0];
  const buttons = names.map((name) => el("button", { type: "button", on: { click: () => explainFunction(name) } }, visible(name)));
  const more = el("select", { on: { change: () => { if (more.value) explainFunction(more.value); } } },
    el("option", { value: "" }, "choose …"), others.map((name) => el("option", { value: name }, visible(name))));
  const draw = () => {
    buttons.forEach((button, place) => button.setAttribute("aria-pressed", String(names[place] === chosen)));
    more.value = others.includes(chosen) ? chosen : "";
    const known = explanations.find((explanation) => explanation.function === chosen);
    fill(panel, selection.whole && known ? explained(known) : insidePanel(chosen));
  };
  explainFunction = (name) => {
    const elsewhere = !byId("explain").contains(document.activeElement);
    chosen = name;
    draw();
    if (elsewhere) goTo(byId("explain"));
  };
  body.append(el("div", { class: "tools" }, el("span", { class: "group", role: "group", "aria-label": "Function to explain" }, buttons),
    others.length ? el("label", {}, "Others", more) : null), panel);
  view(byId("explain"), draw);
}

const layerToneByName = (name) => layerTone(layerPlace.get(name) ?? 8);

function explained({ sentences, traced, spread, layers, typical, slow, tree, tree_left_out: leftOut, outcomes, afterwards, slowest }) {
  const [first, ...others] = sentences.map(visible);
  return [
    el("p", { class: "verdict-line" }, first),
    el("p", { class: "prose muted" }, others.join(" ")),
    el("div", { class: "sides" },
      el("div", {}, el("h3", {}, `All ${count(spread.calls)} calls, by layer`), layerBars(layers, spread)),
      outcomes.length || afterwards.length ? el("div", {}, el("h3", {}, "What they met"), outcomeList(outcomes, afterwards)) : null),
    ...(traced ? insideCalls(typical, slow, tree, leftOut, slowest) : [el("p", { class: "muted" }, "There are no single calls of it to show: they were only added up (mode: profile).")]),
  ];
}

function insideCalls(typical, slow, tree, leftOut, slowest) {
  return [
    el("h3", {}, "Inside a typical call and a slow one"),
    el("p", { class: "lead" }, `Means per call. Typical: ${count(typical.calls)} calls of ${range(typical)}; slow: the slowest ${count(slow.calls)}, of ${range(slow)}.`),
    callTree(tree, typical, slow),
    leftOut ? el("p", { class: "muted" }, `${count(leftOut)} more paths with little time are left out.`) : null,
    el("h3", {}, "The slowest calls"),
    slowCalls(slowest),
  ];
}

const range = ({ min_ns: least, max_ns: most }) => (least === most ? duration(least) : `${duration(least)} to ${duration(most)}`);

function layerBars(layers, spread) {
  const most = Math.max(1, ...layers.map((row) => row.exclusive_ns));
  return el("dl", { class: "ladder-rows" }, layers.map((row) => el("div", {}, el("dt", {}, swatch(layerToneByName(row.layer)), visible(row.layer)),
    el("dd", {}, bar(row.exclusive_ns / most, layerToneByName(row.layer))), el("dd", { class: "num" }, duration(row.exclusive_ns)),
    el("dd", { class: "num muted" }, percent(row.exclusive_ns / Math.max(1, spread.total_ns))))));
}

function outcomeList(outcomes, afterwards) {
  const each = (calls, ns) => (calls ? `${count(calls)} calls, ${duration(ns / calls)} each` : "no call");
  return el("ul", { class: "facts" },
    outcomes.map((row) => el("li", {}, el("strong", {}, `With ${visible(row.what)}: `), `${each(row.with_calls, row.with_ns)}. `, el("span", { class: "muted" }, `Without: ${each(row.without_calls, row.without_ns)}.`))),
    afterwards.map((row) => el("li", {}, el("strong", {}, "Afterwards: "), `${count(row.spans)} × ${visible(row.function)} (${visible(row.layer)}, ${visible(row.cause)}), ${duration(row.ns)}, on the same files.`)));
}

function callTree(tree, typical, slow) {
  const most = [Math.max(1, typical.mean_ns), Math.max(1, slow.mean_ns)];
  const times = (number) => (number === 0 ? "" : `${number < 10 && !Number.isInteger(number) ? number.toFixed(1) : count(number)} ×`);
  const side = (calls, ns, own, whole, tone) => [
    el("td", { class: "num muted" }, times(calls)), el("td", { class: "num" }, calls ? duration(ns) : nothing()),
    el("td", { class: "num muted" }, calls ? duration(own) : ""), el("td", {}, bar(ns / whole, tone))];
  const heads = (name) => [el("th", { class: "num", scope: "col" }, `${name}: calls`), el("th", { class: "num", scope: "col" }, "time"), el("th", { class: "num", scope: "col" }, "own"), el("th", { scope: "col" }, el("span", { class: "hidden" }, "share"))];
  return el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Tree of a typical and of a slow call" }, el("table", { class: "call-tree" },
    el("caption", { class: "hidden" }, "Tree of a typical and of a slow call"),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Function"), heads("Typical"), heads("Slow"))),
    el("tbody", {}, tree.map((row) => el("tr", {},
      el("td", {}, el("span", { class: "tree", vars: { deep: String(Math.min(row.depth, 14)) } }, swatch(layerToneByName(row.layer)), el("code", {}, visible(row.function)), row.caused ? el("span", { class: "tag" }, "by the kernel, elsewhere") : null)),
      side(row.typical_calls, row.typical_ns, row.typical_exclusive_ns, most[0], layerToneByName(row.layer)),
      side(row.slow_calls, row.slow_ns, row.slow_exclusive_ns, most[1], layerToneByName(row.layer)))))));
}

function slowCalls(rows) {
  return el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "The slowest calls" }, el("table", {},
    el("caption", { class: "hidden" }, "The slowest calls"),
    el("thead", {}, el("tr", {}, ["Took", "At", "Process", "By layer", "File", "Offset"].map((name) => el("th", { scope: "col", class: name === "Took" || name === "At" || name === "Offset" ? "num" : "" }, name)), el("th", { scope: "col" }, el("span", { class: "hidden" }, "Zoom")))),
    el("tbody", {}, rows.map((row) => el("tr", {},
      el("td", { class: "num" }, duration(row.ns)), el("td", { class: "num" }, exactly(row.start_us, SPAN / 1000)),
      el("td", {}, `${row.pid ?? ""}${row.tid !== row.pid ? ` / ${row.tid}` : ""}`),
      el("td", {}, el("span", { class: "stack", title: Object.entries(row.layers).map(([layer, ns]) => `${layer}: ${duration(ns)}`).join(", ") },
        Object.entries(row.layers).map(([layer, ns]) => el("i", { vars: { share: String(ns / Math.max(1, row.ns)), tone: layerToneByName(layer) } })))),
      el("td", { class: "path" }, row.path ? pathText(row.path) : nothing()), el("td", { class: "num" }, row.offset === null ? nothing() : count(row.offset)),
      el("td", {}, el("button", { type: "button", class: "small", "aria-label": `Zoom to this call of ${duration(row.ns)}`, on: { click: () => {
        const around = Math.max(10, row.ns / 1000);
        select(row.start_us - around, row.start_us + around * 2);
        goTo(byId("timeline"));
      } } }, "Zoom")))))));
}
