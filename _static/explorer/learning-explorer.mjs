// <learning-explorer>: what each method gets right, fold by fold, and which lines it gets wrong.
// All of it was trained beforehand. Attributes: assets.

import { fetchText, fromThousandths } from "./assets.mjs";
import { Explorer, count, define, h, share, verse, within } from "./shared.mjs";

const SHOWN = ["wrong as a pair", "wrong alone", "every line"];

class LearningExplorer extends Explorer {
  async fetchData(manifest) {
    this.data = JSON.parse(await fetchText(manifest, this.base, "learning"));
    this.methods = this.data.methods.map((method) => ({ name: method.name, true: fromThousandths(method.true), shuffled: fromThousandths(method.shuffled) }));
    this.lines = this.data.lines.map(([poem, number, fold, words, shuffled]) => ({ poem: this.data.poems[poem], number, fold, words, shuffled }));
    this.n_folds = 1 + Math.max(...this.lines.map(({ fold }) => fold));
  }

  build(root) {
    const choice = (id, names) => h("select", { id, onchange: () => this.show() }, ...names.map((name, i) => h("option", { value: i }, name)));
    const field = (label, select) => h("div", { class: "field" }, h("label", { for: select.id }, label), select);
    this.method = choice("method", this.methods.map(({ name }) => name));
    this.fold = choice("fold", ["all", ...Array.from({ length: this.n_folds }, (_, i) => i + 1)]);
    this.which = choice("which", SHOWN);
    this.rates = h("tbody");
    this.listed = h("tbody");
    this.summary = h("p", { class: "status numbers", role: "status", "aria-live": "polite" });
    const head = (...names) => h("thead", {}, h("tr", {}, ...names.map((name) => h("th", { scope: "col", class: name === "right" || name === "margin" || SCORES.includes(name) ? "" : "text" }, name))));
    root.append(
      h("style", {}, LEARNING_STYLE),
      h("section", { class: "explorer", "aria-label": "Learning explorer" },
        h("div", { class: "controls" }, field("Method", this.method), field("Fold that is tested", this.fold), field("Lines", this.which)),
        h("table", { class: "rates" }, h("caption", {}, "Share right, on poems that were not trained on"), head("method", ...SCORES), this.rates),
        this.summary,
        h("div", { class: "scroll fills", tabindex: 0, role: "region", "aria-label": "Lines" },
          h("table", { class: "lines" }, head("line", "margin", "its words shuffled", "margin", "poem"), this.listed)),
        h("p", { class: "provenance" }, `Trained beforehand, from ${this.data.encoder.split("/").pop()}. A margin above 0 takes a line for a real one; underlined is what is called wrong alone. `, this.link)),
    );
    this.method.value = String(this.methods.findIndex(({ name }) => name.startsWith("LoRA")));
    this.show();
  }

  state() {
    return { method: this.methods[this.method.value].name, fold: this.fold.value, lines: SHOWN[this.which.value] };
  }

  restore({ method, fold, lines }) {
    const found = this.methods.findIndex(({ name }) => name === method);
    if (found >= 0) this.method.value = String(found);
    this.fold.value = String(within(fold, this.n_folds, 0));
    this.which.value = String(Math.max(0, SHOWN.indexOf(lines)));
    this.show();
  }

  // ---------------------------------------------------------------- showing

  show() {
    const fold = Number(this.fold.value) - 1;
    const tested = this.lines.map((_, i) => i).filter((i) => fold < 0 || this.lines[i].fold === fold);
    const chosen = this.methods[this.method.value];
    this.rates.replaceChildren(...this.methods.map((method) => {
      const rates = [rightAlone, rightAsPair].map((right) => mean(tested.map((i) => right(method, i))));
      return h("tr", { class: method === chosen ? "chosen" : "" }, h("th", { scope: "row" }, method.name),
        ...rates.map((rate) => h("td", { style: `--share: ${(2 * Math.max(0, rate - 0.5)).toFixed(3)}` }, share(rate))));
    }));
    const isListed = [(i) => rightAsPair(chosen, i) < 1, (i) => rightAlone(chosen, i) < 1, () => true][this.which.value];
    const listed = tested.filter(isListed);
    this.summary.textContent = `${chosen.name}: ${count(listed.length, "line")} of ${tested.length.toLocaleString("en")}, ${SHOWN[this.which.value]}.`;
    this.listed.replaceChildren(...listed.map((i) => {
      const { words, shuffled, poem } = this.lines[i];
      const cell = (text, is_right) => h("td", { class: `text${is_right ? "" : " wrong"}` }, verse(text));
      return h("tr", {}, cell(words, chosen.true[i] > 0), h("td", {}, share(chosen.true[i], 1)),
        cell(shuffled, chosen.shuffled[i] <= 0), h("td", {}, share(chosen.shuffled[i], 1)), h("td", { class: "text muted" }, verse(poem)));
    }));
    this.updateLink();
  }
}

const SCORES = ["shown alone", "shown both"];
const mean = (numbers) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
const rightAlone = (method, i) => ((method.true[i] > 0) + (method.shuffled[i] <= 0)) / 2;
const rightAsPair = ({ true: real, shuffled }, i) => (real[i] === shuffled[i] ? 0.5 : Number(real[i] > shuffled[i]));

const LEARNING_STYLE = `
.controls .field { flex: 1 1 12rem; }
table { width: 100%; }
caption { text-align: start; color: var(--ex-muted); font-size: 0.875rem; }
.rates { max-width: 34rem; }
.rates th { white-space: normal; }
.rates td { width: 6rem; }
.fills { min-height: 18rem; }
.status { min-height: 1.5em; }
.rates td { background: color-mix(in srgb, var(--ex-most) calc(var(--ex-most-behind-text) * var(--share)), transparent); }
.chosen th { font-weight: 600; }
.lines td.text { text-align: left; white-space: normal; min-width: 9rem; }
.wrong { text-decoration: underline wavy color-mix(in srgb, var(--ex-ink) 55%, transparent); text-underline-offset: 0.2em; }
@container (max-width: 42rem) {
  .rates td { width: 4rem; }
  .rates tbody tr { height: 3rem; }
  .status { min-height: 3em; }
}
`;

define("learning-explorer", LearningExplorer);
