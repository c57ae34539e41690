// How much single reads and writes moved, by powers of two.
function sizesView() {
  const body = byId("latency-body");
  if (!sizeCells.rows) return;
  const chart = el("div");
  body.append(el("h3", {}, "Request sizes"), chart);
  view(byId("latency"), () => {
    const found = [new Float64Array(64), new Float64Array(64)];
    for (let row = sizeStarts[firstBin()]; row < sizeStarts[lastBin()]; row++) found[sizeCells.written[row]][sizeCells.bucket[row]] += sizeCells.calls[row];
    const used = [...found[0].keys()].filter((bucket) => found[0][bucket] || found[1][bucket]);
    if (!used.length) return void fill(chart, empty("No call moved bytes in the selected time."));
    const most = Math.max(...found[0], ...found[1]);
    const label = (bucket) => (bucket ? `${size(2 ** bucket)} to ${size(2 ** (bucket + 1) - (bucket < 10 ? 1 : 0))}` : "1 B");
    const side = (calls, tone) => [el("dd", {}, bar(calls / most, tone)), el("dd", { class: "num" }, calls ? count(calls) : nothing())];
    fill(chart, el("p", { class: "legend" }, el("span", {}, swatch("var(--kind-read)"), "reads"), el("span", {}, swatch("var(--kind-write)"), "writes")),
      el("dl", { class: "ladder-rows sizes" }, used.map((bucket) => el("div", {}, el("dt", {}, label(bucket)), side(found[0][bucket], "var(--kind-read)"), side(found[1][bucket], "var(--kind-write)")))));
  });
}
