// What the tests ask of a report's page.
const probe = {
  all: (selector) => [...document.querySelectorAll(selector)],
  texts: (selector) => probe.all(selector).map((node) => node.innerText),
  // The numbers in one column of a table.
  column: (table, number) => probe.all(`${table} tbody tr`).map((row) => Number(row.cells[number].innerText.replaceAll(",", ""))),
  tile: (name) => probe.all(".tile").find((tile) => tile.innerText.startsWith(name)).querySelector(".value").innerText,
  // How many colours a canvas shows, in steps of eight.
  colours(selector) {
    const canvas = document.querySelector(selector);
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const found = new Set();
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3]) found.add(((data[at] >> 3) << 10) | ((data[at + 1] >> 3) << 5) | (data[at + 2] >> 3));
    }
    return found.size;
  },
  // All that a section shows, in a form that changes when the view does.
  look(section) {
    const node = document.getElementById(section);
    const pictures = [...node.querySelectorAll("canvas")].map((canvas) => canvas.toDataURL());
    return [...node.children].filter((child) => child.className !== "card-head").map((child) => child.innerText).join() + pictures.join();
  },
  // Canvases that are drawn for another size than they have.
  blurred: () => probe.all("canvas").filter((c) => c.clientWidth && Math.abs(c.width - c.clientWidth) > 1).length,
  // Parts of the page that reach beyond its right edge.
  outside: () => probe.all("main > section, .strip, .masthead").filter((n) => n.getBoundingClientRect().right > innerWidth + 1).length,
  brightness: () => getComputedStyle(document.body).backgroundColor.match(/\d+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0),
  faults: async () => (await axe.run(document, { resultTypes: ["violations"] })).violations.map(
    ({ id, nodes }) => [id, nodes.length, nodes[0].html.slice(0, 200), nodes[0].failureSummary]),
};
