// <patching-explorer>: what a patch at each layer and token restores of an answer; and heads to
// cut, with what is right after that. Computed when the book was built. Attributes: assets.

import { fetchText } from "./assets.mjs";
import { GRID_STYLE, cellGrid, readable } from "./grid.mjs";
import { Explorer, define, h, share, verse, within } from "./shared.mjs";

class PatchingExplorer extends Explorer {
  async fetchData(manifest) {
    if (!manifest.patching) throw new Error(manifest.interventions_left_out);
    this.data = JSON.parse(await fetchText(manifest, this.base, "patching"));
    this.sentences = this.data.grids.flatMap(namedSentences);
  }

  build(root) {
    const { model, heads, right } = this.data;
    this.sentence = h("select", { id: "sentence", onchange: () => this.showGrid() },
      ...this.sentences.map(({ name }, i) => h("option", { value: i }, name)));
    this.pair = h("dl", { class: "pair numbers" });
    this.grid = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "What a patch restores" });
    this.patched = h("p", { class: "status numbers", role: "status", "aria-live": "polite" });
    const n_shapes = Object.keys(Object.values(right)[0]).length;
    this.shape = h("select", { id: "shape", onchange: () => this.showCuts() }, h("option", { value: 0 }, "all, the mean"),
      ...Array.from({ length: n_shapes }, (_, i) => h("option", { value: i + 1 }, Object.values(right).map((of) => Object.keys(of)[i].replace("{}", "…")).join(" / "))));
    this.boxes = Object.fromEntries(Object.entries(heads).map(([question, found]) => [question, found.map(({ head }) =>
      h("input", { type: "checkbox", checked: true, value: head, onchange: () => this.showCuts() }))]));
    this.table = h("table", { class: "cuts" });
    root.append(
      h("style", {}, GRID_STYLE, PATCHING_STYLE),
      h("section", { class: "explorer", "aria-label": "Patching explorer" },
        h("p", { class: "part" }, "Patch a token's stream"),
        h("div", { class: "field" }, h("label", { for: "sentence" }, "Sentences"), this.sentence),
        h("div", { class: "patches" }, this.grid, h("div", {}, this.pair, this.patched)),
        h("p", { class: "part" }, "Cut heads"),
        h("div", { class: "controls" },
          ...Object.entries(heads).map(([question, found]) => h("fieldset", {}, h("legend", {}, `Found for ${question}`),
            ...found.map(({ head }, i) => h("label", { class: "check" }, this.boxes[question][i], inWords(head)))))),
        h("div", { class: "field" }, h("label", { for: "shape" }, "Sentences, on which no head was found"), this.shape),
        h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "What is right after a cut" }, this.table),
        h("p", { class: "note" }, "27.1 is head 1 of layer 27. Half right is guessing. The gap is how far the two nouns of a pair are apart in the answer, as a share of what it is with nothing cut."),
        h("p", { class: "provenance" }, `Computed beforehand by ${model}. `, this.link)),
    );
    Object.assign(this, { layer: 0, token: 1 });
    this.showGrid();
    this.showCuts();
  }

  ticked(question) {
    return this.boxes[question].filter(({ checked }) => checked).map(({ value }) => value);
  }

  state() {
    const cut = Object.keys(this.boxes).flatMap((question) => this.ticked(question)).join(" ");
    return { sentence: this.sentence.value, layer: this.data.layers[this.layer], token: this.token + 1, cut, shape: this.shape.value };
  }

  restore({ sentence, layer, token, cut = "", shape }) {
    this.sentence.value = String(within(Number(sentence) + 1, this.sentences.length, 1) - 1);
    this.layer = Math.max(0, this.data.layers.indexOf(Number(layer)));
    this.token = within(token, this.sentences[this.sentence.value].tokens.length, 1) - 1;
    const heads = cut.split(" ");
    for (const box of Object.values(this.boxes).flat()) box.checked = heads.includes(box.value);
    this.shape.value = String(within(shape, this.shape.options.length - 1, 0));
    this.showGrid();
    this.showCuts();
  }

  // ---------------------------------------------------------------- patches

  showGrid() {
    const { tokens, sentences, answers, leads, restored } = this.sentences[this.sentence.value];
    const { layers } = this.data;
    const said = ([first, second], nats) => `${first} leads ${second} by ${share(nats, 1)} nats`;
    this.pair.replaceChildren(...["clean", "corrupt"].flatMap((run, i) => [
      h("dt", {}, run), h("dd", {}, verse(sentences[i]), h("span", { class: "label" }, said(answers, leads[i])))]));
    this.token = Math.min(this.token, tokens.length - 1);
    const cell = (layer, token) => {
      const value = restored[layer * tokens.length + token];
      return { text: share(value), name: `${share(value)} restored`, share: Math.min(1, Math.max(0, value)) };
    };
    const { table, mark } = cellGrid({ caption: "Share of the clean lead that is there again", layers, tokens, cell, choose: (...place) => this.choose(...place) });
    this.grid.replaceChildren(table);
    this.mark = mark;
    this.choose(this.layer, this.token);
  }

  choose(layer, token) {
    Object.assign(this, { layer, token });
    this.mark(layer, token);
    const { tokens, restored, leads } = this.sentences[this.sentence.value];
    const value = restored[layer * tokens.length + token];
    const nats = leads[1] + value * (leads[0] - leads[1]);
    this.patched.textContent = `After layer ${this.data.layers[layer]}, at “${readable(tokens[token])}”: with the clean run's stream put in there, the corrupt run's lead is ${share(nats, 1)} nats. That is ${share(value)} of the way back.`;
    this.updateLink();
  }

  // ---------------------------------------------------------------- cuts

  showCuts() {
    const { heads, right } = this.data;
    const questions = Object.keys(right);
    const rows = [["nothing", []], ...questions.flatMap((question) => {
      const cut = this.ticked(question);
      const drawn = heads[question].filter(({ head }) => cut.includes(head)).map((each) => each.drawn).filter(Boolean);
      return [[`heads of ${question}`, cut], ["drawn in their place", drawn]];
    })];
    const cells = (cut) => questions.flatMap((question) => {
      const [now, whole] = [cut, []].map((which) => this.measured(question, which));
      return [h("td", { style: `--share: ${now.right.toFixed(3)}` }, share(now.right)), h("td", { class: "gap" }, share(now.gap / whole.gap))];
    });
    this.table.replaceChildren(
      h("caption", {}, "What is right after a cut, and how much of the gap is left"),
      h("thead", {}, h("tr", {}, h("th", { scope: "col", class: "text" }, "cut"),
        ...questions.flatMap((question) => [h("th", { scope: "col" }, `${question} right`), h("th", { scope: "col" }, "gap left")]))),
      h("tbody", {}, ...rows.map(([name, cut]) => h("tr", { class: name.startsWith("drawn") ? "drawn" : "" },
        h("th", { scope: "row" }, name, h("span", { class: "muted" }, ` ${cut.join(", ") || (name === "nothing" ? "" : "none")}`)), ...cells(cut)))));
    this.updateLink();
  }

  // What is right of a question, and its gap in nats: of one shape of sentence, or the mean.
  measured(question, cut) {
    const key = [...cut].sort(byPlace).join(" ");
    const shapes = Object.values(this.data.right[question]);
    const chosen = this.shape.value === "0" ? shapes : [shapes[this.shape.value - 1]];
    const mean = (i) => chosen.reduce((sum, of_cut) => sum + of_cut[key][i], 0) / chosen.length;
    return { right: mean(0), gap: mean(1) };
  }
}

// The pairs of sentences of a grid, and before them their mean where there are several.
function namedSentences({ sentences, answers, leads, tokens, restored }) {
  const each = sentences.map((pair, i) => ({ name: pair.join(" / "), sentences: pair, answers: answers[i].map((word) => `“${word}”`), tokens: tokens[i],
    leads: leads.map((of_run) => of_run[i] / 100), restored: restored[i].map((n) => n / 100) }));
  if (each.length === 1) return each;
  const mean = (numbers) => numbers[0].map((_, i) => numbers.reduce((sum, row) => sum + row[i], 0) / numbers.length);
  const same = tokens[0].map((token, i) => (tokens.every((row) => row[i] === token) ? token : "…"));
  const words = sentences[0][0].split(" ");
  const shape = words.map((word, i) => (sentences.every(([clean]) => clean.split(" ")[i] === word) ? word : "…")).join(" ");
  return [{ name: `${shape}: the mean of ${each.length} pairs`, sentences: [shape, shape.replace("…", "another …")], answers: ["the clean run's capital", "the corrupt run's"],
    tokens: same, leads: mean(each.map((one) => one.leads)), restored: mean(each.map((one) => one.restored)) }, ...each];
}

const inWords = (head) => `head ${head.split(".")[1]} of layer ${head.split(".")[0]}`;
const byPlace = (a, b) => {
  const [[i, j], [k, l]] = [a, b].map((head) => head.split(".").map(Number));
  return i - k || j - l;
};

const PATCHING_STYLE = `
.part { font-weight: 600; }
.scroll { max-height: none; padding: 2px; }
.patches { display: grid; grid-template-columns: minmax(0, auto) minmax(14rem, 1fr); gap: 1rem 2.5rem; align-items: start; }
.pair { display: grid; gap: 0 1rem; margin-bottom: 1rem; }
.pair dd { margin-bottom: 0.5rem; }
.pair .label { display: block; }
.cells button { min-width: 3.25rem; }
fieldset { flex: 1 1 100%; border: 0; margin: 0; padding: 0; min-width: 0; display: flex; flex-wrap: wrap; gap: 0 1rem; }
legend { padding: 0; font-size: 0.875rem; }
fieldset .check { min-height: 2rem; }
.cuts caption { text-align: start; padding-bottom: 0.25rem; }
.cuts td { background: color-mix(in srgb, var(--ex-most) calc(var(--share, 0) * var(--ex-most-behind-text)), transparent); }
.cuts .drawn th { padding-inline-start: 1.5rem; }
.cuts th[scope="row"] { min-width: 17rem; }
.status { min-height: 6em; }
@container (max-width: 42rem) {
  .patches { grid-template-columns: minmax(0, 1fr); }
  .status { min-height: 4.5em; }
  .pair { min-height: 13.5rem; align-content: start; }
  .cuts :is(th, td) { white-space: normal; padding-inline: 0.3rem; }
  .cuts th[scope="row"] { min-width: 7rem; }
  .cuts .drawn th { padding-inline-start: 0.75rem; }
}
`;

define("patching-explorer", PatchingExplorer);
