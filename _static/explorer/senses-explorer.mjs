// <senses-explorer>: a place of a word that has two senses, and the places nearest to it in any layer.
// Needs no model: all of it was computed when the book was built. Attributes: word, place, layer, assets.

import { fetchText } from "./assets.mjs";
import { Explorer, count, define, h, modelName, percent, shorten, walkWithArrows, within } from "./shared.mjs";

class SensesExplorer extends Explorer {
  async fetchData(manifest) {
    if (!manifest.senses) throw new Error("this build has no speeches");
    const { n_layers, words } = JSON.parse(await fetchText(manifest, this.base, "senses"));
    Object.assign(this, { n_layers, words });
    for (const { places, word } of words) for (const place of places) place.capital = place.found !== word;
  }

  build(root) {
    this.passage = h("p", { class: "passage scroll", tabindex: 0, role: "region", "aria-label": "The passage" });
    this.nearest = h("ol", { class: "nearest" });
    this.found = h("p", { class: "status numbers", role: "status", "aria-live": "polite" });
    this.table = h("table");
    walkWithArrows(this.nearest, () => {});
    root.append(
      h("style", {}, SENSES_STYLE),
      h("section", { class: "explorer", "aria-label": "Senses explorer" },
        this.buildControls(), this.passage, this.found,
        h("div", { class: "scroll near fills", tabindex: 0, role: "region", "aria-label": "The nearest places" }, this.nearest),
        h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Same sense by layer" }, this.table),
        h("p", { class: "provenance" }, `Computed beforehand by ${modelName(this.manifest)} in full precision, from text without capitals. `, this.link)),
    );
    this.layer = within(this.getAttribute("layer"), this.n_layers, this.n_layers);
    const word = this.words.findIndex((each) => each.word === this.getAttribute("word"));
    this.open(Math.max(0, word), within(this.getAttribute("place"), this.words[0].places.length, 1) - 1);
  }

  buildControls() {
    this.wordSelect = h("select", { id: "word", onchange: () => this.open(Number(this.wordSelect.value), 0) },
      ...this.words.map(({ word }, i) => h("option", { value: i }, word)));
    this.placeSelect = h("select", { id: "place", onchange: () => this.choose(Number(this.placeSelect.value)) });
    this.slider = h("input", { type: "range", id: "layer", min: 0, max: this.n_layers, oninput: () => {
      this.layer = Number(this.slider.value);
      this.draw();
    } });
    this.layerOutput = h("output", { for: "layer" });
    this.hide = h("input", { type: "checkbox", id: "hide", onchange: () => this.open(this.word, this.chosen) });
    const field = (id, label, control, kind = "") => h("div", { class: `field ${kind}` }, h("label", { for: id }, label), control);
    return h("div", { class: "controls" },
      field("word", "Word", this.wordSelect), field("place", "Place", this.placeSelect, "wide"),
      h("div", { class: "field" }, h("label", { for: "layer" }, "Layer ", this.layerOutput, ` of ${this.n_layers}`), this.slider),
      h("label", { class: "check" }, this.hide, "without capitals, as the model reads it"));
  }

  // ---------------------------------------------------------------- numbers

  get current() {
    return this.words[this.word];
  }

  // How many of the places nearest to one have its sense.
  nRight(place, layer) {
    const { places, nearest } = this.current;
    return nearest[layer][place].filter((other) => places[other].capital === places[place].capital).length;
  }

  // The share over all places of the word.
  shareRight(layer) {
    const { places, nearest } = this.current;
    const right = places.reduce((sum, _, place) => sum + this.nRight(place, layer), 0);
    return right / (places.length * nearest[layer][0].length);
  }

  // ---------------------------------------------------------------- drawing

  open(word, place) {
    this.word = word;
    this.wordSelect.value = String(word);
    this.placeSelect.replaceChildren(...this.current.places.map((each, i) =>
      h("option", { value: i }, this.cased(`${each.year}: … ${each.before.slice(-26)}${each.found}${shorten(each.after, 22)}`))));
    this.choose(Math.min(place, this.current.places.length - 1));
  }

  choose(place) {
    this.chosen = place;
    this.draw();
  }

  state() {
    return { word: this.current.word, place: this.chosen, layer: this.layer, ...(this.hide.checked && { hidden: "yes" }) };
  }

  restore({ word, place, layer, hidden }) {
    this.layer = layer === "0" ? 0 : within(layer, this.n_layers, this.layer);
    this.hide.checked = hidden === "yes";
    const number = this.words.findIndex((each) => each.word === word);
    this.open(Math.max(0, number), within(Number(place) + 1, this.current.places.length, 1) - 1);
  }

  cased(text) {
    return this.hide.checked ? text.toLowerCase() : text;
  }

  line({ before, found, after }) {
    return h("bdi", {}, "… ", this.cased(before), h("mark", {}, this.cased(found)), this.cased(after), " …");
  }

  draw() {
    this.updateLink();
    const { places, nearest } = this.current;
    const place = places[this.chosen];
    this.placeSelect.value = String(this.chosen);
    this.slider.value = String(this.layer);
    this.layerOutput.textContent = this.layer;
    this.passage.replaceChildren(this.line(place), h("span", { class: "label by" }, ` ${place.speaker}, ${place.year}`));
    const others = nearest[this.layer][this.chosen];
    this.nearest.replaceChildren(...others.map((other) => {
      const there = places[other];
      const verdict = there.capital === place.capital ? "same sense" : "other sense";
      const kind = this.hide.checked ? "" : verdict === "same sense" ? "same" : "other";
      return h("li", {}, h("button", { type: "button", class: kind, onclick: () => {
        this.choose(other);
        this.nearest.querySelector("button")?.focus();
      } }, this.line(there), h("span", { class: "label by" }, ` ${there.speaker}, ${there.year}`,
        this.hide.checked ? "" : h("b", {}, ` ${verdict}`))));
    }));
    this.found.textContent = this.hide.checked
      ? `The ${others.length} places nearest in layer ${this.layer}, by other speakers. Which have the sense of the first?`
      : `Of the ${others.length} places nearest in layer ${this.layer}, by other speakers, ${this.nRight(this.chosen, this.layer)} have the same sense.`;
    this.drawTable(others.length);
  }

  drawTable(n_nearest) {
    const layers = Array.from({ length: this.n_layers + 1 }, (_, layer) => layer);
    const row = (label, value) => h("tr", {}, h("th", { scope: "row" }, label),
      ...layers.map((layer) => h("td", { class: layer === this.layer ? "now" : "" }, this.hide.checked ? "?" : value(layer))));
    this.table.replaceChildren(
      h("thead", {}, h("tr", {}, h("th", { scope: "col", class: "text" }, "Layer"), ...layers.map((layer) => h("th", { scope: "col" }, layer)))),
      h("tbody", {}, row(`this place, of ${n_nearest}`, (layer) => this.nRight(this.chosen, layer)),
        row(`all ${count(this.current.places.length, "place")}`, (layer) => percent(this.shareRight(layer)))));
  }
}

const SENSES_STYLE = `
.controls .field { flex: 1 1 9rem; }
.controls .field.wide { flex: 4 1 16rem; }
.passage, .nearest button { font-family: var(--lw-serif, Georgia, "Iowan Old Style", "Palatino Linotype", serif); text-align: start; }
.passage { height: 8rem; max-height: none; font-size: 1.0625rem; }
mark { background: color-mix(in srgb, var(--ex-most) var(--ex-most-behind-text), transparent); color: inherit; border-radius: 2px; padding-inline: 0.1em; }
.by { font-family: var(--lw-sans, system-ui, sans-serif); display: block; }
.near { min-height: 22rem; padding: 2px; }
.nearest { display: grid; gap: 0.5rem; }
.nearest button {
  font-size: 0.9375rem; line-height: 1.45; color: inherit; background: none; width: 100%; cursor: pointer;
  border: 0; border-inline-start: 4px solid var(--ex-line); padding: 0.15rem 0.6rem;
}
.nearest .same { border-inline-start-color: var(--ex-most); }
.nearest .other { border-inline-start: 4px dotted var(--ex-most); }
.now { font-weight: 600; box-shadow: inset 0 -2px var(--ex-most); }
b { font-weight: 600; color: var(--ex-ink); }
@container (max-width: 42rem) {
  .passage { height: 13rem; }
  .near { min-height: 24rem; }
  .status { min-height: 3em; }
}
`;

define("senses-explorer", SensesExplorer);
