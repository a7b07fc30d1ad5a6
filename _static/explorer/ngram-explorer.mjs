// <ngram-explorer>: a poem is counted, and written on, in the page.
// Needs the poems only, no model. Attributes: poem (a title), assets.

import { fetchText } from "./assets.mjs";
import { contextAt, findCopied, LINE_END, makeModel, probabilities, randomNumbers, splitCharacters, splitWords, write } from "./ngrams.mjs";
import { Explorer, count, define, h, percent, share, shorten, verse, walkWithArrows, within } from "./shared.mjs";

const MOST_ROWS = 8; // of the table of what may come next
const LENGTHS = { words: 60, letters: 240 }; // written at once
const RUNS = { words: 6, letters: 24 }; // as long is a run that counts as copied

class NgramExplorer extends Explorer {
  async fetchData(manifest) {
    this.poems = JSON.parse(await fetchText(manifest, this.base, "poems")).poems;
  }

  build(root) {
    this.seed = 1;
    this.table = h("tbody");
    this.after = h("caption");
    this.written = h("div", { class: "written", role: "group", "aria-label": "Written on: each token can be chosen" });
    this.summary = h("p", { class: "status numbers", role: "status", "aria-live": "polite" });
    this.counted = h("p", { class: "note numbers counted" });
    walkWithArrows(this.written, (i) => this.choose(i));
    root.append(
      h("style", {}, NGRAM_STYLE),
      h("section", { class: "explorer", "aria-label": "Counting explorer" },
        this.buildPoem(), this.buildControls(), this.counted,
        h("div", { class: "columns fills" },
          h("div", { class: "output" }, h("div", { class: "scroll page", tabindex: 0, role: "region", "aria-label": "What was written" }, this.written), this.summary),
          h("div", { class: "next" }, h("table", {}, this.after,
            h("thead", {}, h("tr", {}, ...["next", "count", "probability"].map((name) =>
              h("th", { scope: "col", class: name === "next" ? "text" : "" }, name)), h("td", { "aria-hidden": "true" }))), this.table))),
        h("p", { class: "provenance" }, "Counted in this page; nothing is sent anywhere. ", this.link)),
    );
    const title = this.getAttribute("poem") ?? "Hope";
    this.open(Math.max(0, this.poems.findIndex((poem) => poem.title === title)));
  }

  buildPoem() {
    this.select = h("select", { id: "poem", onchange: () => this.open(Number(this.select.value)) },
      ...this.poems.map(({ title }, i) => h("option", { value: i }, title)),
      h("option", { value: -1, hidden: true, disabled: true }, "your own"));
    this.text = h("textarea", { id: "text", rows: 8, maxlength: 20_000, autocomplete: "off", spellcheck: "false", dir: "auto",
      oninput: () => { this.select.value = "-1"; this.show(); } });
    return h("div", { class: "poem" },
      h("div", { class: "field wide" }, h("label", { for: "text" }, "Your poem, or any text"), this.text),
      h("div", { class: "field" }, h("label", { for: "poem" }, "or one of these"), this.select));
  }

  buildControls() {
    const show = () => this.show();
    const choice = (id, names) => h("select", { id, onchange: show }, ...names.map((name) => h("option", {}, name)));
    const slider = (id, min, max, step, value) => h("input", { type: "range", id, min, max, step, value, oninput: show });
    this.unit = choice("unit", ["words", "letters"]);
    this.smoothing = choice("smoothing", ["interpolation", "Kneser-Ney"]);
    this.order = slider("order", 1, 5, 1, 2);
    this.amount = slider("amount", 0, 1, 0.05, 0);
    this.temperature = slider("temperature", 0.1, 2, 0.1, 1);
    this.said = Object.fromEntries(["order", "amount", "temperature"].map((name) => [name, h("output", { for: name })]));
    this.gives = h("span");
    this.others = h("input", { type: "checkbox", id: "others", onchange: show });
    const field = (label, input, said = "") =>
      h("div", { class: "field" }, h("label", { for: input.id }, label, " ", said), input);
    return h("div", { class: "controls" },
      field("Tokens", this.unit), field("n", this.order, this.said.order),
      field("Smoothing", this.smoothing), h("div", { class: "field" }, h("label", { for: "amount" }, this.gives, " ", this.said.amount), this.amount),
      field("Temperature", this.temperature, this.said.temperature),
      h("label", { class: "check" }, this.others, `count the ${this.poems.length} poems too`),
      h("button", { class: "action", type: "button", onclick: () => { this.seed += 1; this.show(); } }, "Write on"));
  }

  open(number) {
    const poem = this.poems[number] ?? this.poems[0];
    this.select.value = String(this.poems.indexOf(poem));
    this.text.value = poem.text;
    this.show();
  }

  state() {
    const poem = this.poems[Number(this.select.value)];
    return { ...(poem ? { poem: poem.title, place: this.select.value } : { text: this.text.value }), unit: this.unit.value,
      n: this.order.value, smoothing: this.smoothing.value, amount: this.amount.value,
      temperature: this.temperature.value, ...(this.others.checked && { others: "yes" }), seed: this.seed };
  }

  restore({ text, place, unit, n, smoothing, amount, temperature, others, seed }) {
    const set = (input, value) => { if (value !== undefined && value !== "") input.value = value; };
    if (unit === "words" || unit === "letters") this.unit.value = unit;
    if (smoothing === "interpolation" || smoothing === "Kneser-Ney") this.smoothing.value = smoothing;
    set(this.order, n);
    set(this.amount, amount);
    set(this.temperature, temperature);
    this.others.checked = others === "yes";
    this.seed = within(seed, 2 ** 31, 1);
    if (text === undefined) return this.open(within(Number(place) + 1, this.poems.length, 1) - 1);
    this.select.value = "-1";
    this.text.value = text;
    this.show();
  }

  // ---------------------------------------------------------------- showing

  show() {
    const [unit, n] = [this.unit.value, Number(this.order.value)];
    const [amount, temperature] = [Number(this.amount.value), Number(this.temperature.value)];
    const split = unit === "words" ? splitWords : splitCharacters;
    this.tokens = split(this.text.value);
    const texts = [this.tokens, ...(this.others.checked ? this.poems.map(({ text }) => split(text)) : [])].filter(({ length }) => length);
    this.said.order.textContent = `= ${n}`;
    this.gives.textContent = this.smoothing.value === "Kneser-Ney" ? "off each count" : "to shorter runs";
    this.said.amount.textContent = share(amount);
    this.said.temperature.textContent = share(temperature, 1);
    this.updateLink();
    if (texts.length === 0) return this.showNothing();
    this.model = makeModel(texts, n, this.smoothing.value, amount);
    this.all = [...this.tokens, ...write(this.model, this.tokens, LENGTHS[unit], temperature, randomNumbers(this.seed))];
    this.showCounts(texts);
    const hasRun = texts.some(({ length }) => length >= RUNS[unit]);
    this.showWritten(findCopied(this.all.slice(this.tokens.length), texts, RUNS[unit]), unit, hasRun);
    this.choose(0);
  }

  showNothing() {
    this.counted.textContent = "There is nothing to count: no word is in the text.";
    this.summary.textContent = "";
    this.written.replaceChildren();
    this.table.replaceChildren();
    this.after.replaceChildren("nothing comes next");
  }

  showCounts(texts) {
    const { n, vocabulary, tables } = this.model;
    const runs = [...tables[n - 1].values()].flatMap((after) => [...after.values()]);
    const once = runs.filter((times) => times === 1).length / runs.length;
    this.counted.textContent = `${count(texts.flat().length, "token")}, ${vocabulary.length.toLocaleString("en")} different; ` +
      `${runs.length.toLocaleString("en")} different runs of ${n}, ${percent(once)} of them once.`;
  }

  showWritten(copied, unit, hasRun) {
    const written = this.all.slice(this.tokens.length);
    const joins = (i) => unit === "words" && copied[i] && copied[i + 1] && written[i] !== LINE_END && written[i + 1] !== LINE_END;
    const look = (i) => [copied[i] ? "copied" : "", joins(i) ? "joined" : ""].join(" ").trim();
    this.buttons = written.map((token, i) => h("button", { type: "button", class: look(i), tabindex: -1,
      "aria-pressed": "false", "aria-label": name(token) + (copied[i] ? ", copied" : ""), onclick: () => this.choose(i) }, token === LINE_END ? "↵" : token === " " ? "\u00a0" : token));
    const between = (i) => (written[i] === LINE_END ? h("br") : unit === "words" && !joins(i) ? " " : "");
    const pieces = this.buttons.flatMap((button, i) => [button, between(i)]);
    this.written.classList.toggle("letters", unit === "letters");
    this.written.replaceChildren(...pieces);
    const n_copied = copied.filter(Boolean).length;
    this.summary.textContent = hasRun
      ? `${percent(n_copied / written.length)} of what was written is copied: underlined, ` +
        `part of a run of ${RUNS[unit]} or more that stands in what was counted.`
      : `Too short to say what is copied: it has no run of ${RUNS[unit]}.`;
  }

  // Show what a written token was drawn from.
  choose(i) {
    this.buttons.forEach((button, k) => {
      button.tabIndex = k === i ? 0 : -1;
      button.setAttribute("aria-pressed", String(k === i));
    });
    const { n, vocabulary, tables } = this.model;
    const at = this.tokens.length + i;
    const context = contextAt(this.all, at, n);
    const shares = probabilities(this.model, context);
    const after = tables[n - 1].get(context.join("\0")) ?? new Map();
    const order = vocabulary.map((_, k) => k).sort((a, b) => shares[b] - shares[a]);
    const drawn = vocabulary.indexOf(this.all[at]);
    const shown = order.slice(0, MOST_ROWS).filter((k) => shares[k] > 0);
    if (!shown.includes(drawn)) shown.splice(-1, 1, drawn);
    this.after.replaceChildren(...(n === 1 ? ["whatever stands before"] : ["after ", verse(shorten(context.map(name).join(" "), 40)), after.size ? "" : ", never counted"]));
    this.table.replaceChildren(...shown.map((k) => h("tr", { class: k === drawn ? "drawn" : "" },
      h("th", { scope: "row" }, verse(shorten(name(vocabulary[k]), 18)), k === drawn ? h("span", {}, " ←", h("span", { class: "out-of-sight" }, " drawn")) : ""),
      h("td", {}, after.get(vocabulary[k]) ?? 0), h("td", {}, share(shares[k], 3)),
      h("td", { class: "bar", "aria-hidden": "true" }, h("i", { style: `width: ${(100 * shares[k]).toFixed(1)}%` })))));
  }
}

const name = (token) => (token === LINE_END ? "line end" : token === " " ? "space" : token);

const NGRAM_STYLE = `
.poem { display: flex; flex-wrap: wrap; gap: 0.75rem 1.5rem; align-items: start; }
.poem .field:not(.wide) { flex: 0 1 14rem; }
textarea {
  font: inherit; color: inherit; width: 100%; height: 11rem; resize: none; padding: 0.4rem 0.6rem; background: var(--ex-paper);
  border: 1px solid var(--ex-muted); border-radius: 2px;
  font-family: var(--lw-serif, Georgia, "Iowan Old Style", "Palatino Linotype", serif);
}
.controls .field { flex: 1 1 9rem; }
.counted { min-height: 1.5em; }
.columns { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 2rem; }
.output { display: flex; flex-direction: column; }
.page { flex: 1 1 14rem; padding: 2px; }
.written { font-family: var(--lw-serif, Georgia, "Iowan Old Style", "Palatino Linotype", serif); line-height: 1.7; }
.written button {
  font: inherit; color: inherit; background: none; border: 0; border-radius: 2px; padding: 0; min-height: 1.6rem; cursor: pointer;
}
.written button[aria-pressed="true"] { background: color-mix(in srgb, var(--ex-most) var(--ex-most-behind-text), transparent); }
.written .copied { box-shadow: inset 0 -2px var(--ex-most); border-radius: 0; }
.written .joined { padding-inline-end: 0.25em; }
.output .status { min-height: 4.5em; margin-top: 0.5rem; }
.next { height: 19rem; overflow: hidden; }
.next table { width: 100%; table-layout: fixed; }
caption { text-align: start; color: var(--ex-muted); font-size: 0.875rem; height: 1.6em; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.next th, .next td { height: 1.9rem; overflow: hidden; text-overflow: ellipsis; }
.next thead th { position: static; font-size: 0.75rem; }
.next th, .next td { padding-inline: 0.3rem; }
.next th:first-child { width: 38%; }
.next th:nth-child(2) { width: 16%; }
.next th:nth-child(3) { width: 26%; }
.drawn th { font-weight: 600; }
.bar { padding-inline: 0; }
.bar i { display: block; height: 0.7rem; background: var(--ex-most); border-radius: 1px; }
@container (max-width: 42rem) {
  .columns { grid-template: minmax(0, 1fr) auto / minmax(0, 1fr); gap: 1rem; }
  .poem .field:not(.wide) { flex: 1 0 100%; }
  .counted { min-height: 3em; }
}
`;

define("ngram-explorer", NgramExplorer);
