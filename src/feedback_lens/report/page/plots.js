"use strict";
// The plots of `dvc plots show`: the same specifications, dressed for the page.
{
  const SHOWN = 200; // rows of a table of points
  const WIDEST = 640, NARROWEST = 150, NARROW = 520; // pixels: of one panel; of a phone's box
  const plots = readData("plots");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const drawn = new Map(); // box -> its view

  const valueOf = (column, row) => Array.isArray(column) ? column[row] : column;
  const numbers = (count) => [...Array(count).keys()];
  const namesOf = (plot) => Object.keys(plot.columns).filter((name) => !plot.made.includes(name));

  function listPoints({ columns, rows }) {
    const entries = Object.entries(columns);
    return numbers(rows).map((row) =>
      Object.fromEntries(entries.map(([name, column]) => [name, valueOf(column, row)])));
  }

  // on a phone panels and legends stand below each other, and long titles are broken
  function breakLines(text) {
    const lines = [""];
    for (const word of text.split(" ")) {
      if (lines.at(-1).length + word.length > 32) lines.push("");
      lines.push(`${lines.pop()} ${word}`.trim());
    }
    return lines;
  }

  function narrow(key, value) {
    if (key === "columns") return 1;
    return key === "title" && typeof value === "string" && value.length > 32 ? breakLines(value) : value;
  }

  function dress(plot, box) {
    // the page has the caption, and one version of Vega-Lite
    const { title, $schema, ...spec } = JSON.parse(JSON.stringify(plot.spec), box.clientWidth < NARROW ? narrow : undefined);
    return { ...spec, data: { ...spec.data, values: listPoints(plot) } };
  }

  function readTheme() {
    const style = getComputedStyle(document.documentElement);
    const [ink, soft, line, card] = ["ink", "soft", "line", "card"].map((name) => style.getPropertyValue(`--${name}`).trim());
    const guide = { labelColor: ink, titleColor: soft, titleFontWeight: "normal" };
    return { aria: false, background: card, font: getComputedStyle(document.body).fontFamily, view: { stroke: line },
      axis: { ...guide, gridColor: line, domainColor: soft, tickColor: soft }, legend: guide, header: guide, text: { color: ink } };
  }

  // a panel's width is a signal: what the drawing lacks to fill its box goes to the panels
  function fit(box) {
    const view = drawn.get(box), svg = box.querySelector("svg");
    const signals = view.getState({ signals: (name) => /^(child_)?width$/.test(name), data: () => false }).signals;
    const name = "child_width" in signals ? "child_width" : "width";
    const cells = [...svg.querySelectorAll("g.role-scope.cell > g")].map((cell) => Math.round(cell.getBoundingClientRect().left));
    const spare = (box.clientWidth - 1 - svg.getBoundingClientRect().width) / Math.max(1, new Set(cells).size);
    const width = Math.round(Math.max(NARROWEST, Math.min(WIDEST, signals[name] + spare)));
    return width === signals[name] ? view : view.signal(name, width).resize().runAsync();
  }

  async function draw(box) {
    const figure = box.closest("figure");
    drawn.get(box)?.finalize();
    const { view } = await vegaEmbed(box, dress(plots[figure.id], box), {
      mode: "vega-lite", ast: true /* evaluates nothing, as the policy wants */, renderer: "svg", actions: false,
      defaultStyle: false, config: readTheme(), tooltip: { theme: dark.matches ? "dark" : "light" },
      logLevel: 1 /* errors: that a panel lacks what another has is none */ });
    drawn.set(box, view);
    await fit(box);
    await fit(box); // the guides' texts have changed
    name(box, figure.querySelector("figcaption").firstChild.textContent.trim());
    box.style.minHeight = "";
  }

  function name(box, title) {
    const svg = box.querySelector("svg");
    // its parts are no pictures of their own
    const words = ["role", "aria-roledescription", "aria-label"];
    for (const mark of svg.querySelectorAll("[role], [aria-label]")) words.forEach((word) => mark.removeAttribute(word));
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", title);
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0; // the keyboard scrolls it
    else box.removeAttribute("tabindex");
  }

  function saveRows(plot, file) {
    const names = namesOf(plot);
    saveCsv(names, numbers(plot.rows).map((row) => names.map((name) => valueOf(plot.columns[name], row))), `${file}.csv`);
  }

  // drawn anew, since a file is light whatever the page is
  async function saveDrawing(box, kind, file) {
    document.documentElement.classList.add("printing");
    const drawing = draw(box); // reads the colors at once
    document.documentElement.classList.remove("printing");
    await drawing;
    saveAs(await drawn.get(box).toImageURL(kind, kind === "png" ? 2 : 1), `${file}.${kind}`);
    if (dark.matches) await draw(box);
  }

  function listButtons(figure) {
    const file = figure.id.replace("plot-", ""), box = figure.querySelector(".drawing");
    const kinds = { csv: () => saveRows(plots[figure.id], file), svg: () => saveDrawing(box, "svg", file),
      png: () => saveDrawing(box, "png", file) };
    return Object.entries(kinds).map(([kind, press]) => {
      const button = make("button", "", `Save as ${kind.toUpperCase()}`);
      button.type = "button";
      button.addEventListener("click", press);
      return button;
    });
  }

  function makeTable(plot, title) {
    const names = namesOf(plot), shown = Math.min(SHOWN, plot.rows);
    const heads = names.map((name) => Object.assign(make("th", "", name), { scope: "col" }));
    const rows = numbers(shown).map((row) =>
      make("tr", "", ...names.map((name) => make("td", "", valueOf(plot.columns[name], row)))));
    const caption = make("caption", "reading", shown < plot.rows ? `The first ${shown} of ${plot.rows} rows` : `All ${shown} rows`);
    const box = make("div", "rows", make("table", "", caption, make("thead", "", make("tr", "", ...heads)), make("tbody", "", ...rows)));
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", `Data: ${title}`);
    return box;
  }

  function fill(details) {
    if (details.childElementCount > 1) return;
    const figure = details.closest("figure");
    details.append(...listButtons(figure), makeTable(plots[figure.id], figure.querySelector("figcaption").firstChild.textContent.trim()));
  }

  const boxes = [...document.querySelectorAll(".drawing")];
  // paper is light; a drawing is ready when its promises are, before the page is laid out for paper
  function print(isPrinting) {
    document.documentElement.classList.toggle("printing", isPrinting);
    boxes.filter((box) => dark.matches ? isPrinting || drawn.has(box) : isPrinting && !drawn.has(box)).forEach(draw);
  }
  const near = new IntersectionObserver((entries) => {
    for (const { target } of entries.filter((entry) => entry.isIntersecting)) { near.unobserve(target); draw(target); }
  }, { rootMargin: "800px" });
  boxes.forEach((box) => near.observe(box));
  document.querySelectorAll(".points").forEach((details) => details.addEventListener("toggle", () => fill(details)));
  dark.addEventListener("change", () => [...drawn.keys()].forEach(draw));
  // what a finger touches it does not hover over: the tooltip of a mark stays until the next tap
  let touched = null;
  const tell = (kind, { clientX, clientY }) => touched?.dispatchEvent(new PointerEvent(kind, { bubbles: true, clientX, clientY }));
  addEventListener("click", (event) => {
    tell("pointerout", event);
    touched = event.pointerType === "touch" && event.target.closest(".drawing") ? event.target : null;
    tell("pointermove", event);
  });
  addEventListener("scroll", (event) => { tell("pointerout", event); touched = null; }, { passive: true });
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
  let turned, width = innerWidth; // the height changes whenever a phone hides its bar
  addEventListener("resize", () => {
    clearTimeout(turned);
    if (innerWidth !== width) turned = setTimeout(() => { width = innerWidth; [...drawn.keys()].forEach(draw); }, 200);
  });
}
