// <lens-explorer>: what each lens reads in each layer at each token of a line, the plain one
// beside another; computed when the book was built. Attributes: assets.

import { fetchText } from "./assets.mjs";
import { GRID_STYLE, cellGrid, readable } from "./grid.mjs";
import { Explorer, define, h, share, verse, within } from "./shared.mjs";

const LONG = { plain: "plain", corrected: "corrected, by maps fitted on other poems",
  "fitted on prose": "corrected, by maps fitted on prose", constant: "a constant: the mean of other poems" };

class LensExplorer extends Explorer {
  async fetchData(manifest) {
    if (!manifest.lens) throw new Error(manifest.interventions_left_out);
    this.data = JSON.parse(await fetchText(manifest, this.base, "lens"));
  }

  build(root) {
    const { lenses, lines, model } = this.data;
    const field = (id, label, names, first) => {
      this[id] = h("select", { id, onchange: () => this.show() }, ...names.map((name, i) => h("option", { value: i + first }, name)));
      return h("div", { class: "field wide" }, h("label", { for: id }, label), this[id]);
    };
    this.grids = [0, 1].map(() => h("div", { class: "scroll", tabindex: 0, role: "region" }));
    this.summary = h("p", { class: "status numbers", role: "status", "aria-live": "polite" });
    this.table = h("table", { class: "here" });
    root.append(
      h("style", {}, GRID_STYLE, LENS_STYLE),
      h("section", { class: "explorer", "aria-label": "Lens explorer" },
        h("div", { class: "controls" },
          field("line", "Line", lines.map(({ text }) => text), 0),
          field("beside", "Beside the plain lens", lenses.slice(1).map((name) => LONG[name]), 1)),
        ...this.grids,
        h("p", { class: "note" }, "The stronger the colour, the more probable the lens holds its word to be. Bold: the model's own first choice. Underlined: what the poem goes on with."),
        this.summary,
        h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Each lens at the chosen place" }, this.table),
        h("p", { class: "provenance" }, `Computed beforehand by ${model}. No map was fitted on these lines. `, this.link)),
    );
    this.layer = Math.ceil((2 * this.data.layers.length) / 3) - 1;
    this.token = 1;
    this.show();
  }

  state() {
    return { line: this.line.value, beside: this.beside.value, layer: this.data.layers[this.layer], token: this.token + 1 };
  }

  restore({ line, beside, layer, token }) {
    const { layers, lenses, lines } = this.data;
    this.line.value = String(within(Number(line) + 1, lines.length, 1) - 1);
    this.beside.value = String(within(beside, lenses.length - 1, 1));
    this.layer = Math.max(0, layers.indexOf(Number(layer)));
    this.token = within(token, this.shown.tokens.length - 1, 1) - 1;
    this.show();
  }

  // ---------------------------------------------------------------- showing

  get shown() {
    return this.data.lines[this.line.value];
  }

  // What a lens reads at a place.
  at(lens, layer, token) {
    const { read, tokens } = this.shown;
    const place = layer * (tokens.length - 1) + token;
    const { top, share: chance, rank, bits } = read[lens];
    return { piece: this.data.pieces[top[place]], chance: chance[place] / 1000, rank: rank[place], bits: bits[place] / 100 };
  }

  show() {
    const { layers, lenses } = this.data;
    const tokens = this.shown.tokens.slice(0, -1);
    this.token = Math.min(this.token, tokens.length - 1);
    this.marks = [0, Number(this.beside.value)].map((lens, i) => {
      const cell = (layer, token) => {
        const { piece, chance, rank } = this.at(lens, layer, token);
        const final = this.at(0, layers.length - 1, token).piece;
        return { text: readable(piece), name: `${readable(piece)}, ${share(chance)}`, share: chance,
          kind: `${piece === final ? "final" : ""} ${rank === 0 ? "comes" : ""}` };
      };
      const { table, mark } = cellGrid({ caption: `Read: ${LONG[lenses[lens]]}`, layers, tokens, cell, choose: (...place) => this.choose(...place) });
      this.grids[i].setAttribute("aria-label", `Read: ${lenses[lens]}`);
      this.grids[i].replaceChildren(table);
      return mark;
    });
    this.choose(this.layer, this.token);
  }

  choose(layer, token) {
    Object.assign(this, { layer, token });
    for (const mark of this.marks) mark(layer, token);
    const { layers, lenses } = this.data;
    const { tokens } = this.shown;
    const next = readable(tokens[token + 1]);
    const n = tokens.length - 1;
    const column = (...name) => h("th", { scope: "col" }, ...name);
    this.table.replaceChildren(
      h("thead", {}, h("tr", {}, h("th", { scope: "col", class: "text" }, "lens"), column("reads"), column("held to be"), column("place of “", verse(next), "”"), column("bits from the model"))),
      h("tbody", {}, ...lenses.map((name, lens) => {
        const { piece, chance, rank, bits } = this.at(lens, layer, token);
        return h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, verse(readable(piece))), h("td", {}, share(chance)), h("td", {}, (rank + 1).toLocaleString("en")), h("td", {}, share(bits, 1)));
      })));
    const means = lenses.map((name, lens) => {
      const sum = tokens.slice(1).reduce((total, _, i) => total + this.at(lens, layer, i).bits, 0);
      return `${name} ${share(sum / n, 1)}`;
    });
    this.summary.textContent = `Layer ${layers[layer]}, after “${readable(tokens[token])}”. Over the line the lenses are so many bits from the model's own words: ${means.join(", ")}.`;
    this.updateLink();
  }
}

const LENS_STYLE = `
.scroll { max-height: none; padding: 2px; }
.cells button { font-family: var(--lw-serif, Georgia, "Iowan Old Style", "Palatino Linotype", serif); }
.cells { table-layout: fixed; width: 100%; min-width: 36rem; }
.cells thead th:first-child { width: 2.75rem; }
.final { font-weight: 700; }
.comes { text-decoration: underline; text-underline-offset: 0.15em; }
.status { min-height: 3em; }
@container (max-width: 42rem) {
  .status { min-height: 6em; }
  .here :is(th, td) { white-space: normal; padding-inline: 0.3rem; }
  .here th[scope="row"] { white-space: nowrap; }
}
`;

define("lens-explorer", LensExplorer);
