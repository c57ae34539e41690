// The report's data, unpacked once; and its sums over any part of the run.
const report = JSON.parse(byId("data").textContent);
const { grid, functions, processes, layers: layerNames, kinds } = report;
const SPAN = grid.span_us;
const FUNCTIONS = Math.max(1, functions.length);
const PROCESSES = Math.max(1, report.with_calls);
const SUMS = ["calls", "failed", "time", "read", "written"];

const cells = (() => {
  const { rows } = report.cells;
  const key = unpackSorted(report.cells.key, rows);
  const table = { rows, bin: new Uint16Array(rows), proc: new Uint16Array(rows), fn: new Uint16Array(rows) };
  key.forEach((value, row) => {
    table.fn[row] = value % FUNCTIONS;
    table.proc[row] = Math.floor(value / FUNCTIONS) % PROCESSES;
    table.bin[row] = Math.floor(value / FUNCTIONS / PROCESSES);
  });
  for (const name of SUMS) table[name] = unpack(report.cells[name], rows);
  return table;
})();

const fileCells = (() => {
  const { rows, rows_of_a_slice: files } = report.file_cells; // first files, then all other files of each place
  const key = unpackSorted(report.file_cells.key, rows);
  const table = { rows, bin: key.map((value) => Math.floor(value / files)), file: key.map((value) => value % files) };
  for (const name of SUMS) table[name] = unpack(report.file_cells[name], rows);
  return table;
})();

const latencyCells = (() => {
  const { rows } = report.latency;
  const key = unpackSorted(report.latency.key, rows);
  return {
    rows,
    bucket: key.map((value) => value % 256),
    fn: key.map((value) => Math.floor(value / 256) % FUNCTIONS),
    bin: key.map((value) => Math.floor(value / 256 / FUNCTIONS)),
    calls: unpack(report.latency.calls, rows),
  };
})();

const treeCells = (() => {
  const { rows, nodes } = report.tree;
  const key = unpackSorted(report.tree.key, rows);
  return { rows, bin: key.map((value) => Math.floor(value / nodes)), node: key.map((value) => value % nodes), calls: unpack(report.tree.calls, rows), own: unpack(report.tree.own, rows) };
})();

const sizeCells = (() => {
  const { rows, powers, common } = report.sizes, side = powers + common.length; // powers of two, then the common sizes
  const key = unpackSorted(report.sizes.key, rows);
  return { rows, side, bin: key.map((value) => Math.floor(value / (2 * side))), written: key.map((value) => Math.floor(value / side) % 2), bucket: key.map((value) => value % side), calls: unpack(report.sizes.calls, rows) };
})();

// Where the rows of a bin begin: rows are in the order of their bins.
function binStarts(table) {
  const starts = new Uint32Array(grid.bins + 1);
  for (let row = 0; row < table.rows; row++) starts[Math.min(table.bin[row], grid.bins - 1) + 1]++;
  for (let bin = 0; bin < grid.bins; bin++) starts[bin + 1] += starts[bin];
  return starts;
}
const cellStarts = binStarts(cells), fileStarts = binStarts(fileCells), latencyStarts = binStarts(latencyCells), treeStarts = binStarts(treeCells), sizeStarts = binStarts(sizeCells);

const zeros = (length) => Object.fromEntries(SUMS.map((name) => [name, new Float64Array(length)]));
const add = (sums, index, table, row) => { for (const name of SUMS) sums[name][index] += table[name][row]; };

// What happened in the bins from `first` up to `last`: by function; of the calls that the totals count, by process too.
function sumsOf(first, last) {
  const found = { fn: zeros(FUNCTIONS), proc: zeros(PROCESSES), total: zeros(1) };
  for (let row = cellStarts[first]; row < cellStarts[last]; row++) {
    add(found.fn, cells.fn[row], cells, row);
    if (!functions[cells.fn[row]].counted) continue;
    add(found.proc, cells.proc[row], cells, row);
    add(found.total, 0, cells, row);
  }
  return found;
}

function fileSumsOf(first, last) {
  const sums = zeros(report.file_cells.rows_of_a_slice);
  for (let row = fileStarts[first]; row < fileStarts[last]; row++) add(sums, fileCells.file[row], fileCells, row);
  return sums;
}

function latencyOf(first, last) {
  const found = functions.map(() => new Float64Array(256));
  for (let row = latencyStarts[first]; row < latencyStarts[last]; row++) {
    found[latencyCells.fn[row]][latencyCells.bucket[row]] += latencyCells.calls[row];
  }
  return found;
}

// Time by path: of each node, its calls, its own time, and that with all nodes inside it. Parents stand before children.
function treeOf(first, last) {
  const { parent } = report.tree;
  const found = { calls: new Float64Array(parent.length), own: new Float64Array(parent.length), time: null, total: 0 };
  for (let row = treeStarts[first]; row < treeStarts[last]; row++) {
    found.calls[treeCells.node[row]] += treeCells.calls[row];
    found.own[treeCells.node[row]] += treeCells.own[row];
  }
  found.time = found.own.slice();
  for (let node = parent.length - 1; node >= 0; node--) {
    if (parent[node] >= 0) found.time[parent[node]] += found.time[node];
    else found.total += found.time[node];
  }
  return found;
}

const bucketNs = (bucket) => 2 ** (bucket / report.latency.per_octave);

// The duration that a share of the calls did not exceed, from their buckets: right within half a bucket.
function quantile(buckets, share) {
  let left = buckets.reduce((sum, calls) => sum + calls, 0) * share;
  if (!left) return 0;
  const bucket = buckets.findIndex((calls) => (left -= calls) <= 1e-9);
  return bucketNs(bucket + 0.5);
}

const layersPresent = [...new Set(functions.map(({ layer }) => layer))].sort((a, b) => a - b);
// Where all calls are of one layer, its colour would say nothing: then colours tell what calls do.
const byKind = layersPresent.length < 2;
const layerTone = (layer) => `var(--layer-${Math.min(layer, 8)})`;
const kindTone = (kind) => `var(--kind-${kinds[kind]})`;
const toneOf = (fn) => (!functions[fn] ? "var(--layer-8)" : byKind ? kindTone(functions[fn].kind) : layerTone(functions[fn].layer));
const layerPlace = new Map(layerNames.map(({ name }, layer) => [name, layer]));
const functionName = (fn) => (functions[fn]?.name ? visible(functions[fn].name) : "other functions");
const pathName = (file) => (file < report.paths.length ? visible(report.paths[file] || "a file without a name") : "");

const manyHosts = report.header.hosts.length > 1;
function processName(index) {
  const process = processes[index];
  if (!process || process.others) return "other processes";
  const name = visible(process.name || "process");
  const again = process.life ? ` (${process.life + 1})` : "";
  return `${name} ${process.pid ?? ""}${again}${manyHosts && process.host ? ` @ ${visible(process.host)}` : ""}`.trim();
}

function tonesLegend() {
  const tones = byKind
    ? [...new Set(functions.map(({ kind }) => kind))].sort().map((kind) => [kindTone(kind), kinds[kind]])
    : layersPresent.map((layer) => [layerTone(layer), layerNames[layer].name]);
  return el("p", { class: "legend" }, tones.map(([tone, name]) => el("span", {}, swatch(tone), name)));
}
