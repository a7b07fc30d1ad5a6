// <attention-explorer>: one line, one layer, one head, and who attends to whom.
// Opens on lines computed beforehand by the full-precision model; runs the model on the reader's
// own line when asked to. Attributes: layer, head (from 1), line (from 0), assets.

import { ARCS_STYLE, Arcs, ROW, ROWS } from "./arcs.mjs";
import { fetchText, unpack } from "./assets.mjs";
import { cellAt, drawHeatMap, revealRow } from "./heat-map.mjs";
import { OwnLine } from "./own-line.mjs";
import {
  Explorer, count, define, depthColour, h, modelName, onThemeChange, percent, piece, share, shorten, verse,
  within,
} from "./shared.mjs";

const LARGEST_TABLE = 40; // tokens; a larger table is of one row, the chosen token's

class AttentionExplorer extends Explorer {
  async fetchData(manifest) {
    const { n_layers, n_heads, examples } = JSON.parse(await fetchText(manifest, this.base, "examples"));
    this.n_layers = n_layers;
    this.n_heads = n_heads;
    this.examples = examples;
    this.own = new OwnLine(this);
    await this.own.prepare();
  }

  build(root) {
    this.layer = within(this.getAttribute("layer"), this.n_layers, Math.min(2, this.n_layers));
    this.head = within(this.getAttribute("head"), this.n_heads, Math.min(9, this.n_heads));
    this.showSpecial = true;
    root.append(
      h("style", {}, ARCS_STYLE + ATTENTION_STYLE),
      h("section", { class: "explorer", "aria-label": "Attention explorer" },
        this.buildControls(), this.buildStage(), this.buildFigures(),
        this.own.build(), this.buildTable(), this.buildProvenance()),
    );
    onThemeChange(() => this.drawMap());
    new ResizeObserver(() => this.drawMap()).observe(this.mapBox);
    this.mapBox.addEventListener("scroll", () => this.drawMap());
    this.showExample(Number(this.getAttribute("line") ?? 0));
  }

  // ---------------------------------------------------------------- building

  buildControls() {
    this.lineSelect = h("select", { id: "line", onchange: () => this.showExample(Number(this.lineSelect.value)) },
      ...this.examples.map(({ text }, i) => h("option", { value: i }, text)),
      h("option", { value: -1, hidden: true, disabled: true }, "your own line"));
    return h("div", { class: "controls" },
      h("div", { class: "field wide" }, h("label", { for: "line" }, "Line"), this.lineSelect),
      this.buildSlider("layer", this.n_layers), this.buildSlider("head", this.n_heads),
      h("label", { class: "check" }, this.buildSpecial(), "show [CLS] and [SEP]"));
  }

  buildSpecial() {
    this.specialBox = h("input", { type: "checkbox", checked: true, onchange: () => {
      this.showSpecial = this.specialBox.checked;
      this.draw();
    } });
    return this.specialBox;
  }

  buildSlider(name, largest) {
    const output = h("output", { for: name });
    const swatch = name === "layer" ? h("span", { class: "swatch", "aria-hidden": "true" }) : "";
    if (swatch) this.swatch = swatch;
    const slider = h("input", { type: "range", id: name, min: 1, max: largest, value: this[name],
      oninput: () => {
        this[name] = Number(slider.value);
        this.draw();
      } });
    this.sliders ??= {};
    this.sliders[name] = { slider, output };
    return h("div", { class: "field slider" },
      h("label", { for: name }, swatch, `${name[0].toUpperCase()}${name.slice(1)} `, output, ` of ${largest}`), slider);
  }

  buildStage() {
    this.arcs = new Arcs(this);
    this.canvas = h("canvas", { role: "img" });
    this.canvas.addEventListener("pointermove", (event) => this.readCell(event));
    this.canvas.addEventListener("pointerleave", () => this.sayRow());
    this.canvas.addEventListener("click", (event) => this.chooseCell(event));
    this.mapBox = h("div", { class: "map", tabindex: 0, role: "region", "aria-label": "Heat map" },
      h("div", {}, this.canvas));
    this.caption = h("figcaption");
    this.hint = h("span"); // says so when the map is seen through a window
    this.reading = h("p", { class: "reading numbers", role: "status", "aria-live": "polite" });
    this.noPicture = h("p", { class: "no-picture", hidden: true });
    this.picture = h("div", { class: "picture fades" },
      this.arcs.element,
      this.mapBox);
    return h("figure", { class: "stage" }, this.caption, this.picture, this.noPicture, this.reading);
  }

  buildFigures() {
    this.figures = {};
    const figure = (name, label) => {
      this.figures[name] = h("dd");
      return h("div", {}, h("dt", {}, label), this.figures[name]);
    };
    return h("dl", { class: "figures" },
      figure("special", "goes to [CLS] and [SEP]"), figure("entropy", "entropy of a row, mean"),
      figure("top", "largest weight"));
  }

  buildTable() {
    this.table = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Attention weights" });
    this.tableDetails = h("details", { ontoggle: () => this.drawTable() },
      h("summary", {}, "The same numbers as a table"), this.table);
    return this.tableDetails;
  }

  buildProvenance() {
    this.source = h("span");
    return h("p", { class: "provenance" }, this.source, " ", this.link);
  }

  // ---------------------------------------------------------------- what is shown

  // current: { text, tokens, attentions (n_layers arrays of n_heads, n_tokens, n_tokens), own }
  show(current) {
    this.current = current;
    this.chosen = Math.min(current.tokens.length - 1, 1);
    const { tokens } = current;
    this.isSpecial = tokens.map((token) => token === "[CLS]" || token === "[SEP]");
    this.noPicture.hidden = true;
    this.picture.hidden = false;
    this.lineSelect.value = current.own ? "-1" : String(this.examples.findIndex(({ text }) => text === current.text));
    this.arcs.window.scrollTop = this.mapBox.scrollTop = this.mapBox.scrollLeft = 0;
    this.draw();
    this.describeSource();
  }

  // There is nothing true to show: say why instead of showing something else.
  showNothing(reason) {
    this.current = null;
    this.lineSelect.value = "-1";
    this.picture.hidden = true;
    this.noPicture.hidden = false;
    this.noPicture.textContent = reason;
    this.caption.textContent = "No picture";
    this.reading.textContent = "";
    for (const figure of Object.values(this.figures)) figure.textContent = "–";
    this.table.replaceChildren();
    this.markPending(false);
  }

  showExample(index) {
    const example = this.examples[index] ?? this.examples[0];
    this.own.leave();
    const n = example.tokens.length;
    const all = unpack(example.attentions, Uint16Array);
    const size = this.n_heads * n * n;
    const attentions = Array.from({ length: this.n_layers }, (_, l) => all.subarray(l * size, (l + 1) * size));
    this.markPending(false);
    this.show({ text: example.text, tokens: example.tokens, attentions, own: false });
  }

  markPending(pending) {
    this.picture.classList.toggle("pending", pending);
    this.picture.setAttribute("aria-busy", String(pending));
  }

  // The weight from token i to token j in the chosen layer and head.
  weight(i, j) {
    const n = this.current.tokens.length;
    return this.current.attentions[this.layer - 1][((this.head - 1) * n + i) * n + j];
  }

  state() {
    const { text } = this.current ?? {};
    return { ...(text && { line: text }), layer: this.layer, head: this.head, ...(!this.showSpecial && { special: "hidden" }) };
  }

  // A line that was computed beforehand is shown; another is the reader's to run.
  restore({ line, layer, head, special }) {
    this.layer = within(layer, this.n_layers, this.layer);
    this.head = within(head, this.n_heads, this.head);
    this.showSpecial = this.specialBox.checked = special !== "hidden";
    const example = this.examples.findIndex(({ text }) => text === line);
    if (example >= 0) this.showExample(example);
    else if (line) this.own.offer(line);
    this.draw();
  }

  draw() {
    for (const [name, { slider, output }] of Object.entries(this.sliders)) slider.value = output.textContent = this[name];
    this.updateLink();
    this.swatch.style.background = depthColour(this.layer / this.n_layers);
    if (!this.current) return;
    const { tokens, text } = this.current;
    this.shown = tokens.map((_, i) => i).filter((i) => this.showSpecial || !this.isSpecial[i]);
    if (!this.shown.includes(this.chosen)) this.chosen = this.shown[0];
    this.caption.replaceChildren(`Layer ${this.layer}, head ${this.head}: `, verse(shorten(text, 90)), this.hint);
    this.largest = this.largestShown();
    this.arcs.draw();
    this.drawFigures();
    this.drawMap();
    this.drawTable();
  }

  largestShown() {
    let largest = 1e-9;
    for (const i of this.shown) for (const j of this.shown) largest = Math.max(largest, this.weight(i, j));
    return largest;
  }

  chooseToken(i) {
    this.chosen = i;
    const row = this.shown.indexOf(i);
    revealRow(this.arcs.window, row, ROW, ROWS * ROW);
    if (this.map) revealRow(this.mapBox, row, this.map.cell, this.map.width);
    this.arcs.draw();
    this.drawMap();
    if (this.current.tokens.length > LARGEST_TABLE) this.drawTable();
  }

  drawMap() {
    if (!this.current) return;
    const labels = this.shown.map((i) => this.current.tokens[i]);
    this.map = drawHeatMap(this.mapBox, {
      labels, largest: this.largest, chosen: this.shown.indexOf(this.chosen),
      weight: (row, column) => this.weight(this.shown[row], this.shown[column]),
    });
    const isWindow = this.map && this.map.width < this.map.n * this.map.cell - 1;
    this.hint.textContent = isWindow ? ` (${count(labels.length, "token")}: scroll the map)` : "";
    this.canvas.setAttribute("aria-label",
      `Heat map of attention, layer ${this.layer}, head ${this.head}, ${count(labels.length, "token")}; ` +
      "rows attend to columns. The same numbers stand in the table below.");
  }

  drawFigures() {
    const { tokens } = this.current;
    let special = 0, entropy = 0, largest = 0;
    let rows = 0;
    tokens.forEach((_, i) => {
      let rowEntropy = 0;
      tokens.forEach((_, j) => {
        const weight = this.weight(i, j);
        if (this.isSpecial[j] && !this.isSpecial[i]) special += weight;
        if (weight > 0) rowEntropy -= weight * Math.log2(weight);
        largest = Math.max(largest, weight);
      });
      entropy += rowEntropy / tokens.length;
      if (!this.isSpecial[i]) rows++;
    });
    this.figures.special.textContent = `${percent(special / Math.max(rows, 1))} of the words’ attention` +
      (this.showSpecial ? "" : ", hidden here and not shared out again");
    this.figures.entropy.textContent =
      `${entropy.toFixed(2)} bits; ${Math.log2(tokens.length).toFixed(2)} if spread evenly`;
    this.figures.top.textContent = share(largest);
  }

  drawTable() {
    if (!this.tableDetails.open || !this.current) return;
    const { tokens } = this.current;
    const rows = this.shown.length <= LARGEST_TABLE ? this.shown : [this.chosen];
    const head = h("tr", {}, h("th", { scope: "col", class: "text" }, "from \\ to"),
      ...this.shown.map((j) => h("th", { scope: "col" }, piece(tokens[j]))));
    const body = rows.map((i) => h("tr", {}, h("th", { scope: "row" }, piece(tokens[i])),
      ...this.shown.map((j) => h("td", {}, share(this.weight(i, j), 3)))));
    this.table.replaceChildren(h("table", {},
      h("caption", { class: "note" }, rows.length < this.shown.length
        ? `Layer ${this.layer}, head ${this.head}: the row of the chosen token; the line is too long for all rows`
        : `Layer ${this.layer}, head ${this.head}: each row attends to the columns`),
      h("thead", {}, head), h("tbody", {}, ...body)));
  }

  // ---------------------------------------------------------------- reading single values

  sayRow(from = this.chosen) {
    if (!this.current || from === undefined) return;
    const { tokens } = this.current;
    const strongest = [...this.shown].sort((a, b) => this.weight(from, b) - this.weight(from, a)).slice(0, 3);
    this.read(piece(tokens[from]), " attends to ", ...strongest.flatMap((to, i) =>
      [i ? ", " : "", piece(tokens[to]), ` ${share(this.weight(from, to))}`]));
  }

  // Say something about single values; the same thing is not announced twice.
  read(...parts) {
    const text = parts.map((part) => part.textContent ?? part).join("");
    if (this.reading.textContent !== text) this.reading.replaceChildren(...parts);
  }

  readCell(event) {
    const cell = this.map && cellAt(this.map, event);
    if (!cell) return this.sayRow();
    const [from, to] = [this.shown[cell.row], this.shown[cell.column]];
    const { tokens } = this.current;
    this.read(piece(tokens[from]), " → ", piece(tokens[to]), `: ${share(this.weight(from, to), 3)}`);
  }

  chooseCell(event) {
    const cell = this.map && cellAt(this.map, event);
    if (cell) this.chooseToken(this.shown[cell.row]);
  }

  describeSource() {
    const name = modelName(this.manifest);
    const { error, weights } = this.manifest;
    this.source.textContent = this.current.own
      ? `Computed in this page by ${name} with its weights rounded to ${weights.bits} bits each. Against the full-precision model, over ${error.n_texts} lines ` +
        `when this page was built: attention off by at most ${share(error.attention_max, 3)}, ${share(error.attention_mean, 4)} on average; ` +
        `the most attended token the same in ${(error.same_top_token * 100).toFixed(1)}% of rows.`
      : `Computed beforehand by ${name} in full precision.`;
  }
}

const ATTENTION_STYLE = `
.controls .wide { flex-basis: 100%; } /* two rows in any font */
.slider { flex: 0 1 11rem; }
.swatch { display: inline-block; width: 0.75em; height: 0.75em; border-radius: 50%; margin-inline-end: 0.4em; border: 1px solid var(--ex-muted); }
.stage { display: grid; gap: 0.5rem; }
.picture, .no-picture { min-height: 25rem; }
.picture { display: grid; grid-template-columns: minmax(0, 20rem) minmax(0, 25rem); gap: 2rem; justify-content: space-between; align-items: start; }
.no-picture { display: grid; place-content: center; text-align: center; max-width: 34rem; margin-inline: auto; padding: 1rem; }
input::placeholder { color: var(--ex-muted); opacity: 1; }
.map { min-width: 0; aspect-ratio: 1; overflow: auto; }
.map:focus-visible { outline-offset: -2px; }
canvas { display: block; position: sticky; top: 0; left: 0; cursor: crosshair; }
.reading { min-height: 1.5em; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 0.5rem 1.5rem; min-height: 3rem; }
.own { display: flex; flex-wrap: wrap; gap: 0.5rem 0.75rem; align-items: end; }
.progress { flex: 1 0 100%; min-height: 2.75rem; }
.own .action { min-width: 15.5rem; }
.status.error { color: var(--ex-ink); font-weight: 600; border-inline-start: 3px solid var(--ex-accent); padding-inline-start: 0.6rem; }
.provenance { min-height: 3em; }
@container (max-width: 42rem) {
  .picture { grid-template-columns: minmax(0, 1fr); gap: 0.5rem; min-height: 0; }
  .no-picture { min-height: 44rem; }
  .side, .map { width: 100%; max-width: 23rem; }
  .slider { flex: 1 1 8rem; }
  input[type="range"] { min-width: 8rem; }
  .figures { grid-template-columns: minmax(0, 1fr); min-height: 9.5rem; }
  .own .action { flex: 1 0 100%; }
  .progress { min-height: 4rem; }
  .reading { min-height: 3em; }
  .provenance { min-height: 7.5em; }
}
`;

define("attention-explorer", AttentionExplorer);
