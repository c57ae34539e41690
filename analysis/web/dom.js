// Elements. Texts of a trace go through here as text nodes and never as HTML.
const byId = (id) => document.getElementById(id);

function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name === "class") node.className = value;
    else if (name === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else if (name === "vars") for (const [key, setting] of Object.entries(value)) node.style.setProperty(`--${key}`, setting);
    else if (name in node && !name.startsWith("aria")) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

const fill = (node, ...children) => node.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
const swatch = (tone) => el("i", { class: "swatch", vars: { tone }, "aria-hidden": "true" });
const bar = (share, tone) => el("span", { class: "bar", "aria-hidden": "true" }, el("i", { vars: { share: String(Math.min(1, share || 0)), tone } }));
const empty = (...children) => el("p", { class: "empty" }, ...children);

// Only what can be seen of a name: controls become visible, so that no name reorders or hides others.
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const visible = (text) => String(text).replace(INVISIBLE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

const LONG_PATH = 200; // characters; the rest of a longer one may not be in sight

// A path whose last part stands out, and which is broken behind a slash where it is long.
function pathText(path) {
  const text = visible(path);
  const cut = text.lastIndexOf("/") + 1;
  return el("span", { class: "whole-path", title: text.length > LONG_PATH ? text : null },
    el("span", { class: "dir" }, text.slice(0, cut).split(/(?<=\/)/).flatMap((part) => [part, el("wbr")])), text.slice(cut));
}

// A table whose head sorts: columns have name, value (for sorting), cell (what is shown) and perhaps num.
function sortable({ label, columns, rows, sort, shown = 0, rowClass }) {
  const state = { by: sort, down: true, all: false };
  const body = el("tbody");
  const heads = columns.map((column, index) => {
    const mark = el("span", { "aria-hidden": "true" });
    const head = el("th", { class: column.num ? "num" : column.class, scope: "col" });
    if (column.spoken) head.append(el("span", { class: "hidden" }, column.spoken));
    if (!column.value) { head.append(column.name); return { head }; }
    head.append(el("button", { type: "button", on: { click: () => {
      state.down = state.by === index ? !state.down : column.num === true;
      state.by = index;
      draw();
    } } }, column.name, mark));
    return { head, mark };
  });
  const more = el("button", { type: "button", class: "more", on: { click: () => { state.all = !state.all; draw(); } } });
  const table = el("table", {}, el("caption", { class: "hidden" }, label), el("thead", {}, el("tr", {}, heads.map(({ head }) => head))), body);
  const draw = () => {
    const { value } = columns[state.by];
    const sorted = [...rows].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      const order = typeof x === "string" ? x.localeCompare(y) : x - y;
      return state.down ? -order : order;
    });
    const visibleRows = shown && !state.all ? sorted.slice(0, shown) : sorted;
    fill(body, visibleRows.map((row) => el("tr", { class: rowClass?.(row) }, columns.map((column) =>
      el("td", { class: column.num ? "num" : column.cellClass }, column.cell(row))))));
    heads.forEach(({ head, mark }, index) => {
      if (!mark) return;
      head.toggleAttribute("aria-sort", index === state.by);
      if (index === state.by) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      mark.textContent = index === state.by ? (state.down ? "↓" : "↑") : "";
    });
    more.hidden = !shown || rows.length <= shown;
    more.textContent = state.all ? `Show the first ${shown}` : `Show all ${rows.length}`;
    table.dispatchEvent(new CustomEvent("drawn"));
  };
  draw();
  return {
    node: el("div", {}, el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": label }, table), more),
    table,
    update(next) { rows = next; draw(); },
  };
}

// One line that follows the pointer.
function tip(text, x, y) {
  const node = byId("tip");
  node.hidden = !text;
  if (!text) return;
  node.textContent = text;
  const { width, height } = node.getBoundingClientRect();
  node.style.left = `${Math.max(8, Math.min(x + 14, innerWidth - width - 8))}px`;
  node.style.top = `${y + 18 + height > innerHeight ? Math.max(8, y - height - 12) : y + 18}px`;
}
