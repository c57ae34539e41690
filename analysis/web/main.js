// Puts the views together, and answers keys, the theme and the printer.
const THEMES = ["auto", "light", "dark"];
const dark = matchMedia("(prefers-color-scheme: dark)");
let theme = "auto";

function applyTheme(forced) {
  const now = forced ?? (theme === "auto" ? (dark.matches ? "dark" : "light") : theme);
  document.documentElement.dataset.theme = now;
  tones = new Map();
  byId("theme").textContent = `Theme: ${theme}`;
  invalidate();
}
byId("theme").addEventListener("click", () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  applyTheme();
});
dark.addEventListener("change", () => applyTheme());

const sections = [...document.querySelectorAll("main > section")];
const links = new Map([...document.querySelectorAll(".sections a")].map((link) => [link.hash.slice(1), link]));
function goTo(section) {
  refresh(true); // so that nothing above it grows while it comes into sight
  section.scrollIntoView();
  section.tabIndex = -1;
  section.focus({ preventScroll: true });
}
for (const [id, link] of links) link.addEventListener("click", (event) => { event.preventDefault(); goTo(byId(id)); });
// The section that is being read: the last one that begins in the upper part of the window.
const current = new IntersectionObserver(() => {
  const read = sections.findLast((section) => section.getBoundingClientRect().top < innerHeight * 0.4) ?? sections[0];
  for (const [id, link] of links) {
    if (id === read.id) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}, { rootMargin: "0px 0px -60% 0px" });

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input[type=search], select, textarea")) return;
  if (event.key === "Escape" && !byId("help").open) showAll();
  else if (event.key === "?") byId("help").showModal();
  else if (/^[1-9]$/.test(event.key) && sections[Number(event.key) - 1]) goTo(sections[Number(event.key) - 1]);
  else return;
  event.preventDefault();
});
byId("help-open").addEventListener("click", () => byId("help").showModal());
byId("selection-clear").addEventListener("click", showAll);
addEventListener("hashchange", selectionFromAddress);

addEventListener("beforeprint", () => { printing = true; applyTheme("light"); refresh(true); });
addEventListener("afterprint", () => { printing = false; applyTheme(); });

applyTheme();
headerView();
answerView();
findingsView();
overview();
layersView();
timelineView();
heatmapView();
latencyView();
sizesView();
filesView();
processesView();
explainView();
describe();
for (const section of new Set(views.map(({ section }) => section))) sight.observe(section);
sections.forEach((section) => current.observe(section));
selectionFromAddress();
refresh();
document.documentElement.dataset.ready = "yes";
