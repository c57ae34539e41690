// The strip that stays in view: bytes read above the line, bytes written below it; its window is the selection.
function overview() {
  const canvas = byId("strip-canvas");
  byId("strip").hidden = !cells.rows;
  const read = new Float64Array(grid.bins), written = new Float64Array(grid.bins), calls = new Float64Array(grid.bins);
  for (let row = 0; row < cells.rows; row++) {
    if (!functions[cells.fn[row]].counted) continue;
    read[cells.bin[row]] += cells.read[row];
    written[cells.bin[row]] += cells.written[row];
    calls[cells.bin[row]] += cells.calls[row];
  }
  const bytes = Math.max(...read, ...written) > 0;
  const [up, down] = bytes ? [read, written] : [calls, new Float64Array(grid.bins)];
  const most = Math.max(1, ...up, ...down);
  const rate = (value) => (value * 1e6) / grid.width_us;
  byId("strip-label").textContent = bytes
    ? `Bytes read and written over the run, at most ${bandwidth(rate(most))}`
    : `Calls over the run, at most ${count(rate(most))} per second`;
  fill(byId("strip-legend"), bytes
    ? [el("span", {}, swatch("var(--kind-read)"), "read, up"), el("span", {}, swatch("var(--kind-write)"), "written, down"), el("span", {}, `at most ${bandwidth(rate(most))}`)]
    : [el("span", {}, swatch("var(--kind-read)"), "calls"), el("span", {}, `at most ${count(rate(most))} per second`)]);

  const draw = () => {
    const { context, width, height } = canvasContext(canvas);
    const top = 14, middle = bytes ? top + (height - top) / 2 : height - 1, reach = bytes ? (height - top) / 2 - 2 : height - top - 2;
    timeAxis(context, { left: 0, width, from: 0, to: SPAN, y: 6, bottom: height });
    const x = (us) => (us / SPAN) * width;
    for (const [values, colour, sign] of [[up, "var(--kind-read)", -1], [down, "var(--kind-write)", 1]]) {
      context.fillStyle = tone(colour);
      values.forEach((value, bin) => {
        if (!value) return;
        const left = x(bin * grid.width_us), length = Math.max(1, Math.sqrt(value / most) * reach);
        context.fillRect(left, sign < 0 ? middle - length : middle, Math.max(1, x(grid.width_us) - (x(grid.width_us) > 4 ? 1 : 0)), length);
      });
    }
    context.fillStyle = tone("var(--strong-line)");
    context.fillRect(0, Math.round(middle), width, 1);
    const [from, to] = canvas.pending ? [...canvas.pending].sort((a, b) => a - b) : [selection.from, selection.to];
    if (selection.whole && !canvas.pending) return;
    context.fillStyle = tone("var(--surface)");
    context.globalAlpha = 0.72;
    context.fillRect(0, 0, x(from), height);
    context.fillRect(x(to), 0, width - x(to), height);
    context.globalAlpha = 1;
    context.strokeStyle = tone("var(--accent)");
    context.lineWidth = 2;
    context.strokeRect(x(from), 1, Math.max(2, x(to) - x(from)), height - 2);
  };
  const timeAt = (event) => {
    const box = canvas.getBoundingClientRect();
    return Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * SPAN;
  };
  dragSelects(canvas, timeAt, (event) => {
    if (selection.whole) return;
    const half = (selection.to - selection.from) / 2, middle = Math.min(SPAN - half, Math.max(half, timeAt(event)));
    select(middle - half, middle + half);
  });
  canvas.addEventListener("pending", draw);
  canvas.addEventListener("dblclick", showAll);
  canvas.addEventListener("pointermove", (event) => {
    const bin = Math.min(grid.bins - 1, Math.floor(timeAt(event) / grid.width_us));
    const what = bytes ? `read ${bandwidth(rate(read[bin]))}, written ${bandwidth(rate(written[bin]))}\n` : "";
    tip(`${momentLabel(timeAt(event), grid.width_us)}\n${what}${count(rate(calls[bin]))} calls per second`, event.clientX, event.clientY);
  });
  canvas.addEventListener("pointerleave", () => tip(""));
  handles();
  const entry = view(byId("strip"), draw);
  entry.seen = true;
  resized.observe(canvas);
}

// Both ends of the selection as sliders, for keyboards and screen readers.
function handles() {
  const [from, to] = [byId("select-from"), byId("select-to")];
  from.addEventListener("input", () => select((Math.min(Number(from.value), Number(to.value) - 1) / 1000) * SPAN, selection.to));
  to.addEventListener("input", () => select(selection.from, (Math.max(Number(to.value), Number(from.value) + 1) / 1000) * SPAN));
  view(byId("strip"), () => {
    from.value = String(Math.round((selection.from / SPAN) * 1000));
    to.value = String(Math.round((selection.to / SPAN) * 1000));
    from.setAttribute("aria-valuetext", exactly(selection.from, selection.to - selection.from));
    to.setAttribute("aria-valuetext", exactly(selection.to, selection.to - selection.from));
  }).seen = true;
}
