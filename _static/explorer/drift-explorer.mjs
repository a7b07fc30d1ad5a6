// <drift-explorer>: how far every poem moves from layer 0, beside what other poems do.
// A dot is a poem in a layer. Choose one and read it, its tokens shaded by how far they moved in
// that layer; compare it with another poem; see which poems are nearest to it in any layer.
// Needs no model: all of it was computed when the book was built, but for texts of the reader's
// own (own-texts.mjs). A report of layerwise has it on other texts. Attributes: poem, layer, assets.

import { fetchText, unpack } from "./assets.mjs";
import { DriftPlot, PLOT_STYLE } from "./drift-plot.mjs";
import { OwnTexts } from "./own-texts.mjs";
import { Explorer, count, define, h, modelName, share, walkWithArrows, within } from "./shared.mjs";

const N_NEAREST = 5;

class DriftExplorer extends Explorer {
  async fetchData(manifest) {
    if (!manifest.drift) throw new Error("this build has no poems");
    const data = JSON.parse(await fetchText(manifest, this.base, "drift"));
    this.n_layers = data.n_layers;
    for (const poem of data.poems) poem.moved = unpack(poem.moved, Uint8Array); // (n_layers, n_tokens)
    // What layer 0 is compared with: { name, label, explained, group, dash, reference, values },
    // where values (n_layers, n_poems). A list, since the build decides which comparisons there are.
    const comparisons = data.comparisons.map((comparison) =>
      ({ ...comparison, values: unpack(comparison.values, Uint16Array, -1, 1) }));
    const pairs = unpack(data.pairs, Uint16Array, -1, 1); // (n_layers + 1, n_poems, n_poems)
    this.precomputed = { noun: data.noun ?? "poem", poems: data.poems, comparisons, pairs };
    if (manifest.weights === undefined) return; // a report: there is no model beside it
    this.ownTexts = new OwnTexts(this);
    await this.ownTexts.prepare();
  }

  build(root) {
    this.layer = within(this.getAttribute("layer"), this.n_layers, this.n_layers);
    this.body = h("div", { class: "body" });
    root.append(
      h("style", {}, PLOT_STYLE + DRIFT_STYLE),
      h("section", { class: "explorer", "aria-label": "Drift explorer" },
        this.body, ...(this.ownTexts ? [this.ownTexts.build()] : [])),
    );
    this.take(this.precomputed);
    this.chosen = Number(this.getAttribute("poem") ?? 0) % this.poems.length;
    this.draw();
  }

  followLinks() {
    super.followLinks();
    this.ownTexts?.followLinks();
  }

  // What is shown from now on: { noun, poems, comparisons, pairs }, computed beforehand or just now.
  take(data) {
    Object.assign(this, data);
    this.measure = this.comparisons.find(({ name }) => name === this.measure?.name) ?? this.comparisons[0];
    this.chosen = 0;
    this.other = -1;
    this.most = new Map();
    const isOwn = data !== this.precomputed;
    this.link.hidden = isOwn; // nobody else could follow it
    this.body.replaceChildren(this.buildControls(), this.buildPlot(), this.buildReading(), this.buildTable(),
      h("p", { class: "provenance" },
        `${isOwn ? "Computed in this page" : "Computed beforehand"} by ${modelName(this.manifest)} ` +
        `${isOwn ? "with rounded weights" : "in full precision"}, mean over tokens, ${count(this.poems.length, this.noun)}. `, this.link));
  }

  showOwn(data) {
    this.take(data);
    this.draw();
  }

  showPoems() {
    this.take(this.precomputed);
    this.draw();
  }

  // ---------------------------------------------------------------- building

  buildControls() {
    const name = ({ first_line }, i) => h("option", { value: i }, first_line);
    this.poemSelect = h("select", { id: "poem", onchange: () => this.choose(Number(this.poemSelect.value), this.layer) },
      ...this.poems.map(name));
    this.otherSelect = h("select", { id: "other", onchange: () => {
      this.other = Number(this.otherSelect.value);
      this.draw();
    } }, h("option", { value: -1 }, `no other ${this.noun}`), ...this.poems.map(name));
    this.measureSelect = h("select", { id: "measure", onchange: () => {
      this.measure = this.comparisons[this.measureSelect.selectedIndex];
      this.draw();
    } }, ...this.comparisons.map(({ name, label }) => h("option", { value: name }, label)));
    this.slider = h("input", { type: "range", id: "layer", min: 1, max: this.n_layers, value: this.layer,
      oninput: () => this.choose(this.chosen, Number(this.slider.value)) });
    this.layerOutput = h("output", { for: "layer" });
    const field = (id, label, control) => h("div", { class: "field wide" }, h("label", { for: id }, label), control);
    return h("div", { class: "controls pairs" },
      field("measure", "What is compared", this.measureSelect),
      h("div", { class: "field slider" }, h("label", { for: "layer" }, "Layer ", this.layerOutput, ` of ${this.n_layers}`), this.slider),
      field("poem", this.noun === "poem" ? "Poem" : "Text", this.poemSelect), field("other", "Compare with", this.otherSelect));
  }

  buildPlot() {
    // One scale for all measures, so that they can be compared.
    const all = this.comparisons.flatMap(({ values }) => [...values]);
    this.plot = new DriftPlot(this, [Math.min(0, ...all) - 0.03, Math.min(1, Math.max(...all) + 0.05)]);
    const { svg, legend } = this.plot;
    svg.addEventListener("click", (event) => this.chooseNearestDot(event));
    svg.addEventListener("pointermove", (event) => this.nameNearestDot(event));
    svg.addEventListener("pointerleave", () => this.describe());
    this.explained = h("figcaption", { class: "explained" });
    this.reading = h("p", { class: "reading numbers", role: "status", "aria-live": "polite" });
    return h("figure", { class: "plot" }, this.explained, svg, legend, this.reading);
  }

  buildReading() {
    this.poemText = h("div", { class: "poem scroll verse", tabindex: 0, role: "region", "aria-label": `The ${this.noun}` });
    this.otherText = h("div", { class: "poem scroll verse", tabindex: 0, role: "region", "aria-label": `The other ${this.noun}`, hidden: true });
    this.nearest = h("ol", { class: "nearest" });
    this.nearestTitle = h("p", { class: "label" });
    walkWithArrows(this.nearest, () => {});
    this.side = h("div", {}, this.nearestTitle, this.nearest);
    this.shade = h("p", { class: "label shade" });
    return h("div", { class: "reader" }, this.shade, h("div", { class: "columns" }, this.poemText, this.otherText, this.side));
  }

  buildTable() {
    this.table = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Cosines by ${this.noun} and layer` });
    this.details = h("details", { ontoggle: () => this.drawTable() },
      h("summary", {}, "The same numbers as a table"), this.table);
    return this.details;
  }

  // ---------------------------------------------------------------- numbers

  value(layer, poem, { values } = this.measure) {
    return values[(layer - 1) * this.poems.length + poem];
  }

  // The comparisons to read the chosen one beside: those of its group, itself among them, and
  // what the group is to be compared with, if it says so.
  beside() {
    const { group, reference } = this.measure;
    const compared = this.comparisons.find(({ name }) => name === reference);
    const ofGroup = this.comparisons.filter((comparison) => comparison.group === group);
    return compared ? [...ofGroup, { ...compared, dash: "dotted" }] : ofGroup;
  }

  median(layer, { values } = this.measure) {
    const n = this.poems.length;
    const sorted = values.slice((layer - 1) * n, layer * n).sort();
    return (sorted[Math.floor((n - 1) / 2)] + sorted[Math.ceil((n - 1) / 2)]) / 2;
  }

  pairCosine(layer, a, b) {
    const n = this.poems.length;
    return this.pairs[(layer * n + a) * n + b];
  }

  // Texts of one group (passages of one book) are not each other's neighbours.
  nearestTo(poem, layer) {
    const { group } = this.poems[poem];
    return this.poems.map((_, i) => i).filter((i) => i !== poem && (group === undefined || this.poems[i].group !== group))
      .sort((a, b) => this.pairCosine(layer, poem, b) - this.pairCosine(layer, poem, a))
      .slice(0, N_NEAREST);
  }

  // ---------------------------------------------------------------- drawing

  choose(poem, layer) {
    this.chosen = poem;
    this.layer = layer;
    this.draw();
  }

  state() {
    const { chosen, other, poems, layer, measure } = this;
    return { poem: poems[chosen].first_line, ...(other >= 0 && { with: poems[other].first_line }), layer, measure: measure.name };
  }

  restore({ poem, with: other, layer, measure }) {
    if (this.poems !== this.precomputed.poems) this.take(this.precomputed);
    const find = (line) => this.poems.findIndex(({ first_line }) => first_line === line);
    this.measure = this.comparisons.find(({ name }) => name === measure) ?? this.measure;
    this.other = find(other);
    this.choose(find(poem) >= 0 ? find(poem) : this.chosen, within(layer, this.n_layers, this.layer));
  }

  draw() {
    this.updateLink();
    this.measureSelect.value = this.measure.name;
    this.otherSelect.value = String(this.other);
    this.poemSelect.value = String(this.chosen);
    this.slider.value = String(this.layer);
    this.layerOutput.textContent = this.layer;
    this.explained.textContent = this.measure.explained;
    this.plot.draw();
    this.drawPoem(this.poemText, this.chosen);
    this.otherText.hidden = this.other < 0;
    this.side.hidden = this.other >= 0;
    if (this.other >= 0) this.drawPoem(this.otherText, this.other);
    this.drawNearest();
    this.drawTable();
    this.describe();
  }

  // A poem's text, each piece shaded by how far its token moved in this layer.
  drawPoem(box, index) {
    const poem = this.poems[index];
    const n = poem.tokens.length;
    const moved = poem.moved.subarray((this.layer - 1) * n, this.layer * n);
    const parts = [];
    let end = 0;
    for (let t = 0; t < n; t++) {
      const [from, to] = [poem.offsets[2 * t], poem.offsets[2 * t + 1]];
      if (to === from) continue; // [CLS] and [SEP]
      parts.push(poem.text.slice(end, from));
      const piece = h("span", { title: `${poem.tokens[t]}: ${share(moved[t])}` }, poem.text.slice(from, to));
      piece.style.setProperty("--moved", Math.min(1, moved[t] / this.mostMoved()));
      parts.push(piece);
      end = to;
    }
    parts.push(poem.text.slice(end));
    const { title, year, theme } = poem;
    box.replaceChildren(h("p", { dir: "auto" }, ...parts),
      h("p", { class: "label" }, [title || null, theme, year].filter(Boolean).join(", ")));
    this.shade.textContent =
      `Words shaded by how far they moved from layer ${this.layer - 1} to layer ${this.layer}: ` +
      `none is 0, strongest ${share(this.mostMoved())} (1 − cosine).`;
  }

  // The largest movement of any token in this layer, so that shades compare between poems.
  mostMoved() {
    if (!this.most.has(this.layer)) {
      let most = 0;
      for (const { moved, tokens } of this.poems)
        for (let t = 1; t < tokens.length - 1; t++) most = Math.max(most, moved[(this.layer - 1) * tokens.length + t]);
      this.most.set(this.layer, most);
    }
    return this.most.get(this.layer);
  }

  drawNearest() {
    this.nearestTitle.textContent = `Nearest ${this.noun}s in layer ${this.layer}`;
    this.nearest.replaceChildren(...this.nearestTo(this.chosen, this.layer).map((i) => h("li", {},
      h("button", { type: "button", class: "verse", dir: "auto", title: this.poems[i].first_line,
        onclick: () => this.choose(i, this.layer) }, this.poems[i].first_line),
      h("span", { class: "numbers" }, share(this.pairCosine(this.layer, this.chosen, i), 3)))));
  }

  drawTable() {
    if (!this.details.open) return;
    const layers = Array.from({ length: this.n_layers }, (_, i) => i + 1);
    this.table.replaceChildren(h("table", {},
      h("caption", { class: "note" }, `Cosine: ${this.measure.label}`),
      h("thead", {}, h("tr", {}, h("th", { scope: "col", class: "text" }, this.noun),
        ...layers.map((layer) => h("th", { scope: "col" }, `layer ${layer}`)))),
      h("tbody", {}, ...this.poems.map((poem, i) => h("tr", {},
        h("th", { scope: "row", class: "verse" }, poem.first_line),
        ...layers.map((layer) => h("td", {}, share(this.value(layer, i)))))))));
  }

  // ---------------------------------------------------------------- reading

  describe(poem = this.chosen, layer = this.layer) {
    let text = `“${this.poems[poem].first_line}”, layer ${layer}: ${share(this.value(layer, poem))}`;
    if (this.other >= 0 && poem === this.chosen)
      text += `; with “${this.poems[this.other].first_line}” in this layer ${share(this.pairCosine(layer, poem, this.other), 3)}`;
    this.reading.textContent = text;
  }

  chooseNearestDot(event) {
    const dot = this.plot.nearestDot(event);
    if (dot) this.choose(dot.poem, dot.layer);
  }

  nameNearestDot(event) {
    const dot = event.pointerType === "mouse" && this.plot.nearestDot(event);
    if (dot) this.describe(dot.poem, dot.layer);
  }
}

const DRIFT_STYLE = `
.body { display: contents; }
.pairs { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); }
.explained { min-height: 2.6em; }
.reading { min-height: 3em; }
.columns { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); grid-template-rows: minmax(0, 1fr); gap: 2rem; flex: 1; min-height: 0; margin-top: 0.5rem; }
.reader { flex: 1 1 0; min-height: 17rem; display: flex; flex-direction: column; }
.poem { max-height: none; white-space: pre-line; }
.poem .label { white-space: normal; margin-top: 0.5rem; font-family: inherit; font-style: italic; }
.poem span { background: color-mix(in srgb, var(--ex-most) calc(var(--moved) * var(--ex-most-behind-text)), transparent); box-decoration-break: clone; }
.nearest { display: grid; grid-template-columns: minmax(0, 1fr); gap: 0.15rem; margin-top: 0.25rem; }
.nearest li { display: flex; justify-content: space-between; gap: 0.75rem; align-items: baseline; border-bottom: 1px solid var(--ex-line); }
.nearest button { min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; background: none; border: 0; padding: 0.3rem 0; min-height: 2rem; text-align: left; cursor: pointer; text-decoration: underline; text-decoration-color: var(--ex-line); text-underline-offset: 0.2em; }
.nearest .numbers { font-size: 0.875rem; color: var(--ex-muted); }
.shade { min-height: 2.6em; }
@container (max-width: 42rem) {
  .provenance { min-height: 4.5em; }
  .pairs { grid-template-columns: minmax(0, 1fr); }
  .legend { min-height: 4.5em; }
  .explained { min-height: 5.2em; }
  .shade { min-height: 3.9em; }
  .reader { min-height: 35rem; }
  .columns { grid-template: minmax(0, 1fr) 17rem / minmax(0, 1fr); gap: 1rem; }
  .reading { min-height: 4.5em; }
}
`;

define("drift-explorer", DriftExplorer);
