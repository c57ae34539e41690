// The part of the run that all views show: microseconds since its start. Everything that selects time calls `select`.
const selection = { from: 0, to: SPAN, whole: true };
const views = [];

// A view is a section that follows the selection; one that nobody sees is brought up to date when it comes into sight.
function view(section, update) {
  const entry = { section, update, seen: false, stale: true };
  views.push(entry);
  section.dataset.stale = "yes";
  return entry;
}

const sight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    for (const entry of views) if (entry.section === target) entry.seen = isIntersecting;
  }
  refresh();
}, { rootMargin: "300px" });

let asked = 0;
function refresh(all = false) {
  if (all) return bring(true);
  if (!asked) asked = requestAnimationFrame(() => { asked = 0; bring(false); });
}

function bring(all) {
  for (const entry of views) {
    if (!entry.stale || !(entry.seen || all)) continue;
    entry.stale = false;
    entry.update();
  }
  // Whether a section shows what is selected can be seen from outside.
  for (const { section } of views) {
    if (views.some((entry) => entry.section === section && entry.stale)) section.dataset.stale = "yes";
    else delete section.dataset.stale;
  }
}

function invalidate() {
  for (const entry of views) {
    entry.stale = true;
    entry.section.dataset.stale = "yes";
  }
  refresh();
}

function select(from, to) {
  const least = Math.min(SPAN, 2);
  let low = Math.max(0, Math.min(from, to)), high = Math.min(SPAN, Math.max(from, to));
  if (high - low < least) {
    low = Math.max(0, Math.min(low, SPAN - least));
    high = low + least;
  }
  Object.assign(selection, { from: low, to: high, whole: low <= 0 && high >= SPAN });
  const text = selection.whole ? "" : `#t=${(low / 1e6).toFixed(6)}:${(high / 1e6).toFixed(6)}`;
  clearTimeout(select.later);
  select.later = setTimeout(() => { try { history.replaceState(null, "", text || "#"); } catch { /* not everywhere allowed */ } }, 300);
  describe();
  invalidate();
}

const showAll = () => select(0, SPAN);
const firstBin = () => Math.max(0, Math.min(grid.bins - 1, Math.floor(selection.from / grid.width_us)));
const lastBin = () => Math.max(firstBin() + 1, Math.min(grid.bins, Math.ceil(selection.to / grid.width_us)));
const selected = () => duration((selection.to - selection.from) * 1000);

// What the sums are of: whole slices, which may reach a little further than the selection.
function scopeText() {
  if (selection.whole) return "whole run";
  const [low, high] = [firstBin() * grid.width_us, Math.min(SPAN, lastBin() * grid.width_us)];
  return `selected: ${exactly(low, high - low)} to ${exactly(high, high - low)}`;
}

function describe() {
  const text = byId("selection-text");
  text.textContent = selection.whole
    ? `${duration(SPAN * 1000)}; drag to select a part`
    : `${exactly(selection.from, selection.to - selection.from)} to ${exactly(selection.to, selection.to - selection.from)} (${selected()})`;
  byId("selection-clear").hidden = selection.whole;
  for (const node of document.querySelectorAll(".scope")) {
    node.textContent = scopeText();
    node.classList.toggle("on", !selection.whole);
  }
}

function selectionFromAddress() {
  const match = /^#t=([\d.]+):([\d.]+)$/.exec(location.hash);
  if (match) select(Number(match[1]) * 1e6, Number(match[2]) * 1e6);
}
