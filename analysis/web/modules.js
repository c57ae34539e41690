// What the calls of each category were for and what they moved: one row a category, from the application down.
function modulesTable(body) {
  const names = [...new Set(functions.map(({ category }) => category))];
  const layerOf = new Map(functions.map(({ category, layer }) => [category, layer]));
  const rowsOf = () => {
    const [first, last] = [firstBin(), lastBin()];
    const seconds = (Math.min(SPAN, last * grid.width_us) - first * grid.width_us) / 1e6;
    const found = new Map(names.map((category) => [category, { category, ...Object.fromEntries(SUMS.map((name) => [name, 0])), times: new Float64Array(kinds.length), of: new Float64Array(PROCESSES) }]));
    for (let row = cellStarts[first]; row < cellStarts[last]; row++) {
      const { category, kind } = functions[cells.fn[row]], entry = found.get(category);
      for (const name of SUMS) entry[name] += cells[name][row];
      entry.times[kind] += cells.time[row];
      entry.of[cells.proc[row]] += cells.time[row];
    }
    return [...found.values()].filter(({ calls, time }) => calls || time).map((entry) => {
      const users = entry.of.reduce((sum, time, at) => sum + (time ? processes[at].count ?? 1 : 0), 0) || 1;
      const slowest = entry.of.reduce((most, time, at) => (processes[at]?.others ? most : Math.max(most, time)), 0);
      return { ...entry, mean: entry.time / users, part: entry.time / users / 1e9 / seconds, rate: slowest ? ((entry.read + entry.written) * 1e9) / slowest : 0 };
    });
  };
  let most = 1;
  const update = (rows) => { most = Math.max(1, ...rows.map(({ time }) => time)); return rows; };
  const table = sortable({
    label: "Time and bytes by category", sort: 1, shown: 12, rows: update(rowsOf()),
    columns: [
      { name: "Category", value: ({ category }) => category, cell: ({ category }) => el("span", { class: "name" }, swatch(layerTone(layerOf.get(category))), el("strong", {}, visible(category) || "others")) },
      { name: "Layer", value: ({ category }) => -layerOf.get(category), cell: ({ category }) => el("span", { class: "muted" }, layerNames[layerOf.get(category)].name) },
      { name: "Calls", num: true, value: ({ calls }) => calls, cell: ({ calls }) => count(calls) },
      { name: "Time", num: true, value: ({ time }) => time, cell: ({ time }) => duration(time) },
      { name: "What for", cell: ({ times, time }) => kindStack(times, time / most) },
      { name: "Per process", num: true, value: ({ mean }) => mean, cell: ({ mean, part }) => [duration(mean), el("span", { class: "muted" }, `, ${percent(part)}`)] },
      { name: "Read", num: true, value: ({ read }) => read, cell: ({ read }) => bytesText(read) },
      { name: "Written", num: true, value: ({ written }) => written, cell: ({ written }) => bytesText(written) },
      { name: "Bandwidth", num: true, value: ({ rate }) => rate, cell: ({ rate }) => (rate ? bandwidth(rate) : nothing()) },
    ],
  });
  body.append(el("h3", {}, "By category"), el("p", { class: "lead" }, "What the calls of each category were for; the same work may be in several. Per process: the mean of those with such calls, and its share of the time. Bandwidth: bytes by the time of the slowest process."),
    el("p", { class: "legend" }, kinds.map((name, kind) => el("span", {}, swatch(kindTone(kind)), name))), table.node);
  view(byId("layers"), () => table.update(update(rowsOf())));
}
