// Where the time went, layer below layer: each row's length is the time in its calls, cut into its functions.
function layersView() {
  const body = byId("layers-body");
  const several = layersPresent.length > 1;
  byId("layers-lead").textContent = several
    ? "Each row is a layer; its length is the time in its calls, summed over threads. A layer's calls lie inside those of the layer above, so what a row is shorter is what the layer above spent itself or waited elsewhere."
    : "This trace has one layer. Trace libraries or the kernel as well, and their time stands above and below it.";
  const chart = el("div", { class: "icicle" });
  const detail = el("p", { class: "icicle-detail muted", "aria-live": "polite" });
  body.append(chart, detail);
  if (!functions.length) return void fill(body, empty("No call was traced. Was a process brought under tracing with ", el("code", {}, "datacrumbs_wrap"), "?"));

  const tell = (fn, sums, whole) => {
    const { calls, failed, time, read, written } = sums;
    const parts = [`${count(calls[fn])} calls`, duration(time[fn]), `${percent(time[fn] / whole)} of its layer`, `${duration(time[fn] / Math.max(1, calls[fn]))} each on average`];
    if (failed[fn]) parts.push(`${count(failed[fn])} failed`);
    if (read[fn]) parts.push(`${size(read[fn])} read`);
    if (written[fn]) parts.push(`${size(written[fn])} written`);
    return `${functionName(fn)} (${visible(functions[fn].category)}): ${parts.join(", ")}.`;
  };

  view(byId("layers"), () => {
    const sums = sumsOf(firstBin(), lastBin()).fn;
    const rows = layersPresent.map((layer) => {
      const members = functions.map((_, fn) => fn).filter((fn) => functions[fn].layer === layer && sums.time[fn] > 0).sort((a, b) => sums.time[b] - sums.time[a]);
      return { layer, members, time: members.reduce((sum, fn) => sum + sums.time[fn], 0) };
    });
    const longest = Math.max(1, ...rows.map(({ time }) => time));
    fill(chart, rows.map(({ layer, members, time }) => el("div", { class: "icicle-row" },
      el("span", { class: "icicle-label" }, swatch(layerTone(layer)), layerNames[layer].name),
      el("div", { class: "icicle-track" }, members.filter((fn) => sums.time[fn] / longest > 0.0015).map((fn) => {
        const share = sums.time[fn] / longest, text = tell(fn, sums, time);
        return el("button", {
          type: "button", class: share < 0.04 ? "icicle-cell thin" : "icicle-cell", "aria-label": text,
          vars: { share: String(share), tone: toneOf(fn), on: "var(--surface)" },
          on: { focus: () => { detail.textContent = text; }, click: () => { detail.textContent = text; },
            pointermove: (event) => tip(text, event.clientX, event.clientY), pointerleave: () => tip("") },
        }, share < 0.04 ? "" : functionName(fn));
      })),
      el("span", { class: "num" }, duration(time)))));
    detail.textContent = "Choose a function for its figures.";
  });
  if (byKind) body.append(tonesLegend());
  body.append(el("h3", {}, "Functions"));
  functionsTable(body);
}
