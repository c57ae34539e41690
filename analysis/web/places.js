// Where files lie, what they were used for, and in which order they were accessed.
const USE_NAMES = { read: "only read", written: "only written", both: "read and written", neither: "opened or looked at" };

function placesTable(body) {
  const { names, files, of } = report.places, alone = report.file_cells.files;
  const rowsOf = () => {
    const sums = fileSumsOf(firstBin(), lastBin());
    const rows = names.map((name, place) => ({ name, place, ...Object.fromEntries(SUMS.map((column) => [column, sums[column][alone + place] ?? 0])) }));
    for (let file = 0; file < Math.min(alone, of.length); file++) if (of[file] !== null) for (const column of SUMS) rows[of[file]][column] += sums[column][file];
    return rows.filter(({ calls, time }) => calls || time);
  };
  let most = 1;
  const update = (rows) => { most = Math.max(1, ...rows.map(({ time }) => time)); return rows; };
  const table = sortable({
    label: "By place", sort: 4, shown: 12, rows: update(rowsOf()),
    columns: [
      { name: "Place", value: ({ name }) => name, cell: ({ name }) => (name ? el("code", {}, visible(name)) : "elsewhere") },
      { name: "Files (whole run)", num: true, value: ({ place }) => files[place], cell: ({ place }) => count(files[place]) },
      { name: "Calls", num: true, value: ({ calls }) => calls, cell: ({ calls }) => count(calls) },
      { name: "Failed", num: true, value: ({ failed }) => failed, cell: ({ failed }) => failedText(failed) },
      { name: "Time", num: true, value: ({ time }) => time, cell: ({ time }) => duration(time) },
      { name: "", spoken: "Share of the longest time", cell: ({ time }) => bar(time / most, "var(--accent)") },
      { name: "Read", num: true, value: ({ read }) => read, cell: ({ read }) => bytesText(read) },
      { name: "Written", num: true, value: ({ written }) => written, cell: ({ written }) => bytesText(written) },
    ],
  });
  body.append(el("h3", {}, "By place"), el("p", { class: "lead" }, "A folder at the root is on many systems a file system of its own."), table.node);
  view(byId("files"), () => table.update(update(rowsOf())));
}

// Of the whole run: how many files were only read, only written, or both, and how large they are.
function usesTable(body) {
  const { uses } = report;
  if (!uses.length) return;
  const all = { use: null };
  for (const column of ["files", "shared", "read", "written", "sized", "size_sum"]) all[column] = uses.reduce((sum, row) => sum + row[column], 0);
  all.size_max = Math.max(...uses.map((row) => row.size_max));
  const row = (use) => el("tr", {}, el("th", { scope: "row" }, use.use ? USE_NAMES[use.use] : "all files"),
    [count(use.files), use.shared ? count(use.shared) : nothing(), bytesText(use.read), bytesText(use.written), use.size_sum ? size(use.size_sum / use.sized) : nothing(), bytesText(use.size_max)].map((cell) => el("td", { class: "num" }, cell)));
  body.append(el("h3", {}, "By use, over the whole run"),
    el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Files by use" }, el("table", {}, el("caption", { class: "hidden" }, "Files by use"),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Use"), ["Files", "By several processes", "Read", "Written", "Mean size", "Largest"].map((name) => el("th", { scope: "col", class: "num" }, name)))),
      el("tbody", {}, [...uses, ...(uses.length > 1 ? [all] : [])].map(row)))),
    el("p", { class: "readout" }, "Sizes are as far as any call reached, of the files with the most time."));
}

// Of the whole run: how the reads and writes of the files with the most time follow each other.
function orderBar(body) {
  const steps = ["sequential", "strided", "random"].map((word) => [word, (report.patterns ?? []).reduce((sum, pattern) => sum + pattern[word], 0)]);
  const total = steps.reduce((sum, [, number]) => sum + number, 0);
  if (!total) return;
  const tones = { sequential: "var(--kind-metadata)", strided: "var(--kind-write)", random: "var(--kind-sync)" };
  body.append(el("h3", {}, "Order of access, over the whole run"), el("dl", { class: "ladder-rows" }, steps.map(([word, number]) => el("div", {},
    el("dt", {}, swatch(tones[word]), word), el("dd", {}, bar(number / total, tones[word])), el("dd", { class: "num" }, number ? count(number) : nothing()), el("dd", { class: "num muted" }, percent(number / total))))));
}
