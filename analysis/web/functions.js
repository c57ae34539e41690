// All functions as a table.
function functionsTable(body) {
  const rowsOf = () => {
    const sums = sumsOf(firstBin(), lastBin()).fn;
    const most = Math.max(1, ...sums.time);
    return functions.map((_, fn) => ({ fn, share: sums.time[fn] / most, ...Object.fromEntries(SUMS.map((name) => [name, sums[name][fn]])) })).filter(({ calls, time }) => calls || time);
  };
  const table = sortable({
    label: "Functions", sort: 4, shown: 12, rows: rowsOf(),
    columns: [
      { name: "Function", value: ({ fn }) => functionName(fn), cell: ({ fn }) => el("span", { class: "name" }, swatch(toneOf(fn)), el("code", {}, functionName(fn))) },
      { name: "Layer", value: ({ fn }) => layerNames[functions[fn].layer].name, cell: ({ fn }) => el("span", { class: "muted" }, layerNames[functions[fn].layer].name) },
      { name: "Calls", num: true, value: ({ calls }) => calls, cell: ({ calls }) => count(calls) },
      { name: "Failed", num: true, value: ({ failed }) => failed, cell: ({ failed }) => failedText(failed) },
      { name: "Time", num: true, value: ({ time }) => time, cell: ({ time }) => duration(time) },
      { name: "", spoken: "Share of the longest time", cell: ({ share, fn }) => bar(share, toneOf(fn)) },
      { name: "Mean", num: true, value: ({ time, calls }) => time / Math.max(1, calls), cell: ({ time, calls }) => (calls ? duration(time / calls) : "–") },
      { name: "Read", num: true, value: ({ read }) => read, cell: ({ read }) => bytesText(read) },
      { name: "Written", num: true, value: ({ written }) => written, cell: ({ written }) => bytesText(written) },
    ],
  });
  body.append(table.node);
  view(byId("layers"), () => table.update(rowsOf()));
}

const nothing = () => el("span", { class: "zero" }, "–");
const failedText = (failed) => (failed ? el("span", { class: "errors" }, count(failed)) : nothing());
const bytesText = (bytes) => (bytes ? size(bytes) : nothing());
