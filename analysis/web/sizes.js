// How much single reads and writes moved: by powers of two, and the sizes that are met most.
function sizesView() {
  const body = byId("latency-body");
  if (!sizeCells.rows) return;
  const chart = el("div", { class: "sides" });
  body.append(chart);
  view(byId("latency"), () => {
    const { powers, common } = report.sizes;
    const found = [new Float64Array(sizeCells.side), new Float64Array(sizeCells.side)];
    for (let row = sizeStarts[firstBin()]; row < sizeStarts[lastBin()]; row++) found[sizeCells.written[row]][sizeCells.bucket[row]] += sizeCells.calls[row];
    const used = [...found[0].keys()].filter((bucket) => bucket < powers && (found[0][bucket] || found[1][bucket]));
    if (!used.length) return void fill(chart, el("div", {}, el("h3", {}, "Request sizes"), empty("No call moved bytes in the selected time.")));
    const most = Math.max(...found[0], ...found[1]);
    const label = (bucket) => (bucket ? `${size(2 ** bucket)} to ${size(2 ** (bucket + 1) - (bucket < 10 ? 1 : 0))}` : "1 B");
    const side = (calls, tone) => [el("dd", {}, bar(calls / most, tone)), el("dd", { class: "num" }, calls ? count(calls) : nothing())];
    const total = found[0].subarray(0, powers).reduce((a, b) => a + b, 0) + found[1].subarray(0, powers).reduce((a, b) => a + b, 0);
    const exact = common.map((bytes, place) => [bytes, found[0][powers + place], found[1][powers + place]]).filter(([, reads, writes]) => reads || writes)
      .sort((a, b) => b[1] + b[2] - a[1] - a[2]).filter(([, reads, writes], place) => place < 4 || reads + writes >= total / 100);
    const cell = (number) => el("td", { class: "num" }, number ? count(number) : nothing());
    fill(chart, el("div", {}, el("h3", {}, "Request sizes"), el("p", { class: "legend" }, el("span", {}, swatch("var(--kind-read)"), "reads"), el("span", {}, swatch("var(--kind-write)"), "writes")),
      el("dl", { class: "ladder-rows sizes" }, used.map((bucket) => el("div", {}, el("dt", {}, label(bucket)), side(found[0][bucket], "var(--kind-read)"), side(found[1][bucket], "var(--kind-write)"))))),
      el("div", {}, el("h3", {}, "Common sizes"), el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Common sizes" }, el("table", { class: "narrow" }, el("caption", { class: "hidden" }, "Common sizes"),
        el("thead", {}, el("tr", {}, ["Bytes", "", "Reads", "Writes", "Of all"].map((name) => el("th", { scope: "col", class: "num" }, name || el("span", { class: "hidden" }, "In short"))))),
        el("tbody", {}, exact.map(([bytes, reads, writes]) => el("tr", {}, cell(bytes), el("td", { class: "num muted" }, bytes < 1024 ? "" : size(bytes)), cell(reads), cell(writes), el("td", { class: "num muted" }, percent((reads + writes) / total)))))))));
  });
}
