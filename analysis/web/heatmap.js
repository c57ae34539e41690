// Process by time: what each process did in each slice of the run.
const HEAT_MEASURES = [
  ["bytes", "Bytes", (row) => cells.read[row] + cells.written[row], size],
  ["calls", "Calls", (row) => cells.calls[row], count],
  ["time", "Time in calls", (row) => cells.time[row], duration],
  ["failed", "Failed calls", (row) => cells.failed[row], count],
];
const TOTALS = "totals"; // the calls that the totals count, and not those of one category

function heatmapView() {
  const body = byId("heatmap-body");
  if (!cells.rows) return void fill(body, empty("There is nothing to draw: no call was traced."));
  let chosen = HEAT_MEASURES[0], of = TOTALS, values = [], most = 0, cursor = null, order = [];
  const canvas = el("canvas", { class: "chart heat", id: "heat-canvas", tabIndex: 0, role: "application", "aria-roledescription": "heatmap", "aria-describedby": "heat-readout" });
  const scale = el("canvas", { "aria-hidden": "true" }), least = el("span", {}, "0"), top = el("span", {});
  const readout = el("p", { class: "readout", id: "heat-readout", "aria-live": "polite" });
  const choice = el("select", { on: { change: () => measure(HEAT_MEASURES.find(([key]) => key === choice.value)) } },
    HEAT_MEASURES.map(([key, name]) => el("option", { value: key }, name)));
  const categories = [...new Set(functions.map(({ category }) => category))];
  const whose = el("select", { on: { change: () => { of = whose.value; measure(chosen); } } },
    el("option", { value: TOTALS }, "the totals"), categories.map((category) => el("option", { value: `of ${category}` }, visible(category) || "others")));
  body.append(el("div", { class: "tools" }, el("label", {}, "Show", choice), categories.length > 1 ? el("label", {}, "of", whose) : null, el("span", { class: "scale push" }, least, scale, top)), canvas, readout);

  const processesShown = [...new Set(cells.proc)].length;
  const rowHeight = Math.max(4, Math.min(26, Math.floor(520 / Math.max(1, processesShown))));
  const axis = 20;
  const labelWidth = (width) => Math.min(180, Math.max(64, width * 0.18));
  const sumWidth = (width) => (width < 560 ? 44 : 140); // on the right, the sum of each row

  // The row of many processes together would outshine the others: it has the strongest colour and the longest bar, and
  // its figure says what it comes to.
  const single = (rows) => (processes.length > 1 ? rows.filter((_, process) => !processes[process]?.others) : rows);

  function measure(next) {
    chosen = next;
    values = Array.from({ length: PROCESSES }, () => new Float64Array(grid.bins));
    for (let row = 0; row < cells.rows; row++) {
      const { counted, category } = functions[cells.fn[row]];
      if (of === TOTALS ? counted : of === `of ${category}`) values[cells.proc[row]][cells.bin[row]] += chosen[2](row);
    }
    most = Math.max(0, ...single(values.map((row) => row.reduce((a, b) => Math.max(a, b), 0))));
    canvas.setAttribute("aria-label", `${chosen[1]} by process and time, at most ${chosen[3](most)} in ${duration(grid.width_us * 1000)}. Arrow keys go from cell to cell.`);
    draw();
  }

  function draw() {
    const sums = values.map((row) => row.slice(firstBin(), lastBin()).reduce((a, b) => a + b, 0));
    order = [...new Set(cells.proc)].sort((a, b) => Boolean(processes[a].others) - Boolean(processes[b].others) || sums[b] - sums[a] || a - b);
    const height = axis + order.length * rowHeight + 2;
    const { context, width } = canvasContext(canvas, height);
    const left = labelWidth(width), right = sumWidth(width), plot = width - left - right, colours = heatScale();
    const longest = Math.max(1, ...single(sums));
    timeAxis(context, { left, width: plot, from: 0, to: SPAN, y: 8, bottom: height });
    const slice = (grid.width_us / SPAN) * plot;
    order.forEach((process, place) => {
      const y = axis + place * rowHeight;
      if (rowHeight >= 11 || place % Math.ceil(12 / rowHeight) === 0) {
        context.fillStyle = tone("var(--ink)");
        context.textAlign = "right";
        context.fillText(clip(context, processName(process), left - 10), left - 8, y + rowHeight / 2);
      }
      context.fillStyle = colours[0];
      context.fillRect(left, y, plot, rowHeight - (rowHeight > 8 ? 1 : 0));
      values[process].forEach((value, bin) => {
        if (!value) return;
        context.fillStyle = colours[24 + Math.round(Math.sqrt(Math.min(1, value / most)) * 231)];
        context.fillRect(left + bin * slice, y, Math.max(1, slice + 0.4), rowHeight - (rowHeight > 8 ? 1 : 0));
      });
      drawSum(context, sums[process], longest, left + plot + 8, right - 8, y);
    });
    const [from, to] = canvas.pending ? [...canvas.pending].sort((a, b) => a - b) : [selection.from, selection.to];
    if (!selection.whole || canvas.pending) {
      const x = (us) => left + (us / SPAN) * plot;
      context.fillStyle = tone("var(--surface)");
      context.globalAlpha = 0.75;
      context.fillRect(left, axis, x(from) - left, height);
      context.fillRect(x(to), axis, left + plot - x(to), height);
      context.globalAlpha = 1;
      context.strokeStyle = tone("var(--accent)");
      context.lineWidth = 1.5;
      context.strokeRect(x(from), axis - 1, Math.max(2, x(to) - x(from)), height - axis);
    }
    if (cursor && document.activeElement === canvas) {
      context.strokeStyle = tone("var(--ink)");
      context.lineWidth = 2;
      context.strokeRect(left + cursor.bin * slice - 1, axis + cursor.place * rowHeight - 1, Math.max(3, slice) + 2, rowHeight + 1);
    }
    top.textContent = `${chosen[3](most)} per ${duration(grid.width_us * 1000)}`;
    const legend = canvasContext(scale);
    colours.forEach((colour, level) => {
      legend.context.fillStyle = colour;
      legend.context.fillRect((level / 256) * legend.width, 0, legend.width / 256 + 1, legend.height);
    });
  }

  // What a row comes to in the selected time: a bar, and where there is room the figure.
  function drawSum(context, sum, longest, left, width, y) {
    const text = width > 60 && rowHeight >= 11, room = text ? width - 62 : width;
    context.fillStyle = tone("var(--sunken)");
    context.fillRect(left, y + rowHeight * 0.2, room, Math.max(1, rowHeight * 0.55));
    context.fillStyle = tone("var(--accent)");
    context.fillRect(left, y + rowHeight * 0.2, Math.min(1, sum / longest) * room, Math.max(1, rowHeight * 0.55));
    if (!text) return;
    context.fillStyle = tone("var(--muted)");
    context.textAlign = "left";
    context.fillText(sum ? chosen[3](sum) : "–", left + room + 6, y + rowHeight / 2);
  }

  const place = (event) => {
    const box = canvas.getBoundingClientRect(), left = labelWidth(box.width);
    return { share: Math.max(0, Math.min(0.999999, (event.clientX - box.left - left) / (box.width - left - sumWidth(box.width)))), row: Math.floor((event.clientY - box.top - axis) / rowHeight) };
  };
  const cellText = (process, bin) => `${processName(process)}, ${momentLabel(bin * grid.width_us, grid.width_us)}: ${chosen[3](values[process][bin])} ${chosen[0] === "bytes" ? "read and written" : chosen[1].toLowerCase()}`;
  dragSelects(canvas, (event) => place(event).share * SPAN);
  canvas.addEventListener("pending", draw);
  canvas.addEventListener("dblclick", showAll);
  canvas.addEventListener("pointermove", (event) => {
    const { share, row } = place(event);
    tip(order[row] === undefined ? "" : cellText(order[row], Math.floor(share * SPAN / grid.width_us)), event.clientX, event.clientY);
  });
  canvas.addEventListener("pointerleave", () => tip(""));
  canvas.addEventListener("focus", () => { cursor ??= { place: 0, bin: firstBin() }; draw(); });
  canvas.addEventListener("blur", draw);
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (event.key === "Enter" && cursor) select(cursor.bin * grid.width_us, (cursor.bin + 1) * grid.width_us);
    else if (!step) return;
    else cursor = { place: Math.max(0, Math.min(order.length - 1, cursor.place + step[0])), bin: Math.max(0, Math.min(grid.bins - 1, cursor.bin + step[1])) };
    event.preventDefault();
    readout.textContent = cellText(order[cursor.place], cursor.bin);
    draw();
  });
  measure(chosen);
  view(byId("heatmap"), draw);
  resized.observe(canvas);
}

// As much of a text as fits a width.
function clip(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let length = text.length;
  while (length > 1 && context.measureText(`${text.slice(0, length)}…`).width > width) length--;
  return `${text.slice(0, length)}…`;
}
