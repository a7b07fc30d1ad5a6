// The reader's own texts: pasted or dropped, computed in this page, shown as the poems are, saved
// as a table. Nothing of them is sent anywhere, and nothing is fetched once the model is here.

import { isFromFile, megabytes } from "./assets.mjs";
import { mean_pool } from "./bert.mjs";
import { compareTexts, tokenMovement } from "./compare-texts.mjs";
import { offsetsOf } from "./offsets.mjs";
import { OwnLine, SERVER } from "./own-line.mjs";
import { decode, NO_TEXT, splitTexts, textsOfFile, textsOfPasted, writeTable } from "./read-texts.mjs";
import { count, h, shorten } from "./shared.mjs";

const FEWEST = 4; // so that each half has another text
const MOST = 300;
const PLACE = "own-texts-in-the-page"; // before the explorer in the chapter, which is linked
const PRIVATE = "Your texts stay in this page: nothing of them leaves it.";

// An explorer that uses it has: comparisons, those that were computed beforehand; showOwn(data);
// showPoems().
export class OwnTexts extends OwnLine {
  whyNot() {
    if (!this.manifest.weights) return `Texts of your own cannot be run here: ${this.manifest.weights_left_out}.`;
    if (isFromFile())
      return `Texts of your own need a server, ${SERVER} Or run “layerwise report” on them.`;
    return null;
  }

  build() {
    const why = this.whyNot();
    this.details = h("details", { class: "own-texts" }, h("summary", {}, "Your own texts"),
      ...(why ? [h("p", { class: "note" }, why)] : [h("style", {}, OWN_TEXTS_STYLE), this.buildForm()]));
    return this.details;
  }

  // A link to them opens them: the place of that name in the page is only near them.
  followLinks() {
    const follow = () => {
      if (location.hash !== `#${PLACE}`) return;
      this.details.open = true;
      this.details.scrollIntoView();
    };
    window.addEventListener("hashchange", follow);
    // Until all is loaded, the browser itself goes to the place again.
    if (document.readyState === "complete") follow();
    else window.addEventListener("load", () => setTimeout(follow));
  }

  buildForm() {
    this.input = h("textarea", { id: "own-texts", rows: 8, dir: "auto", spellcheck: "false",
      onpaste: () => setTimeout(() => this.recognise()) });
    this.file = h("input", { type: "file", id: "own-file", accept: ".txt,.csv,.tsv,.md,text/*",
      onchange: () => this.read(this.file.files[0]) });
    this.button = h("button", { class: "action" });
    this.cancelButton = h("button", { class: "plain", type: "button", hidden: true, onclick: () => this.cancel() }, "Cancel");
    this.saveButton = h("button", { class: "plain", type: "button", hidden: true, onclick: () => this.save() }, "Save as a table (CSV)");
    this.backButton = h("button", { class: "plain", type: "button", hidden: true, onclick: () => this.explorer.showPoems() }, "Back to the poems");
    this.progress = h("progress", { value: 0, hidden: true });
    this.status = h("p", { class: "status", role: "status", "aria-live": "polite" });
    this.labelButton();
    const form = h("form", { onsubmit: (event) => {
      event.preventDefault();
      this.runOwn();
    } },
      h("p", { class: "note" }, `${FEWEST} to ${MOST} texts: one a line, or with empty lines between them; or drop a file here, ` +
        `of text or a table (CSV), whose longest column is read. ${PRIVATE}`),
      h("div", { class: "field wide" }, h("label", { for: "own-texts" }, "Your texts"), this.input),
      h("div", { class: "field wide" }, h("label", { for: "own-file" }, "Or a file"), this.file),
      h("div", { class: "controls" }, this.button, this.cancelButton, this.saveButton, this.backButton),
      this.progress, this.status);
    form.addEventListener("dragover", (event) => event.preventDefault());
    form.addEventListener("drop", (event) => {
      event.preventDefault();
      const { files } = event.dataTransfer;
      if (files.length) this.read(files[0]);
    });
    return form;
  }

  labelButton() {
    const size = megabytes(this.n_bytes);
    this.button.textContent = this.model.ready || this.kept === "kept" ? "Compute" : `Load the model (${size}) and compute`;
  }

  async read(file) {
    if (!file) return;
    const content = decode(new Uint8Array(await file.arrayBuffer()));
    if (content === null) return this.say(`${file.name} ${NO_TEXT}.`, true);
    this.take(file.name, textsOfFile(file.name, content));
  }

  // What was pasted may be a table: it is read as the file would be.
  recognise() {
    if (this.taken?.texts === this.input.value) return;
    const table = textsOfPasted(this.input.value);
    if (table) this.take("Read as a table", table, "Lines of text with empty lines between them are never read so.");
  }

  take(name, { texts, column, notes }, ...more) {
    this.input.value = texts;
    const from = column ? `, of its column “${column}”` : "";
    this.taken = { texts: this.input.value, notes };
    this.say([`${name}: ${count(splitTexts(texts).length, "text")}${from}.`, ...notes, ...more].join(" "));
  }

  // Nothing is loaded for too few texts.
  async runOwn() {
    this.recognise();
    const n_texts = splitTexts(this.input.value).length;
    if (n_texts < FEWEST) return this.sayTooFew(n_texts, this.notesOfReading());
    await super.runOwn();
  }

  notesOfReading() {
    return this.taken?.texts === this.input.value ? this.taken.notes : [];
  }

  sayTooFew(n_texts, notes) {
    this.say([`${count(n_texts, "text")}: at least ${FEWEST} are needed.`, ...notes].join(" "), true);
  }

  cancel() {
    if (!this.model.ready) return this.model.cancelLoad();
    this.leave();
    this.say("Cancelled. Nothing was computed or kept.");
  }

  // ---------------------------------------------------------------- running

  async runLine(content, asked) {
    const { chosen, notes } = this.choose(content);
    if (chosen.length < FEWEST) return this.sayTooFew(chosen.length, notes);
    const start = performance.now();
    const n_all = chosen.reduce((sum, { batch }) => sum + batch.tokens.length, 0);
    let n_done = 0;
    const pooled = Array.from({ length: this.manifest.config.n_layers + 1 }, () => []);
    for (const [i, text] of chosen.entries()) {
      const hidden_states = await this.runText(text.batch, asked);
      if (hidden_states === null) return;
      hidden_states.forEach((states, layer) => pooled[layer].push(mean_pool(states, text.batch.attention_mask)));
      text.moved = tokenMovement(hidden_states, text.batch.tokens.length);
      n_done += text.batch.tokens.length;
      const left = ((performance.now() - start) * (n_all - n_done)) / n_done;
      this.showProgress("tokens run", n_done, n_all,
        `${i + 1} of ${count(chosen.length, "text")}, done at about ${new Date(Date.now() + left).toLocaleTimeString()}`);
    }
    const layers = pooled.map((vectors) => Float32Array.from(vectors.flatMap((vector) => Array.from(vector))));
    this.show(chosen, compareTexts(layers, chosen.length));
    this.say([`${count(chosen.length, "text")} in ${((performance.now() - start) / 1000).toFixed(1)} s, in this page.`, ...notes].join(" "));
  }

  // Another explorer on the page may take the model for a line of its own: then ask again.
  async runText(batch, asked) {
    while (asked === this.asked) {
      const answer = await this.model.run(batch);
      if (asked === this.asked && answer) return answer.hidden_states;
    }
    return null;
  }

  // Which texts are run, and what has to be said of the others.
  choose(content) {
    const all = splitTexts(content);
    const different = [...new Map(all.map((text) => [text.replace(/\s+/g, " "), text])).values()];
    const { tokenizer } = this.model;
    const max_length = this.manifest.config.n_positions;
    const encoded = different.slice(0, MOST).map((text) => ({ text, batch: tokenizer.encode(text, null, { truncation: true, max_length }) }));
    const chosen = encoded.filter(({ batch }) => batch.tokens.slice(1, -1).some((token) => token !== "[UNK]"));
    const n_cut = chosen.filter(({ batch }) => batch.n_dropped > 0).length;
    const notes = [
      [all.length - different.length, "Left out, since the same stands before"],
      [different.length - encoded.length, `Left out beyond the first ${MOST} (for more, use layerwise report)`],
      [encoded.length - chosen.length, "Left out, without a token that the model knows"],
      [n_cut, `Longer than ${max_length} tokens, so that only the beginning was read`],
    ];
    const said = notes.filter(([n]) => n > 0).map(([n, what]) => `${what}: ${count(n, "text")}.`);
    return { chosen, notes: [...this.notesOfReading(), ...said] };
  }

  show(chosen, { comparisons, pairs }) {
    const { tokenizer } = this.model;
    const described = this.explorer.precomputed.comparisons.filter(({ name }) => comparisons[name]);
    const ofTexts = (words) => words.replaceAll("poem", "text");
    this.data = {
      noun: "text",
      poems: chosen.map(({ text, batch: { tokens }, moved }, i) => ({
        first_line: `${i + 1}. ${shorten(text.split("\n", 1)[0])}`,
        text, tokens, moved, offsets: offsetsOf(text, tokenizer.words(text), tokens.length),
      })),
      comparisons: described.map((comparison) => ({ ...comparison, label: ofTexts(comparison.label),
        explained: ofTexts(comparison.explained), values: comparisons[comparison.name] })),
      pairs,
    };
    this.explorer.showOwn(this.data);
    this.saveButton.hidden = this.backButton.hidden = false;
  }

  // ---------------------------------------------------------------- saving

  table() {
    const { poems, comparisons } = this.data;
    const { n_layers } = this.manifest.config;
    const names = comparisons.map(({ name }) => name.replace("poem", "text"));
    const rows = poems.flatMap(({ text }, i) => Array.from({ length: n_layers }, (_, layer) =>
      [i + 1, layer + 1, ...comparisons.map(({ values }) => values[layer * poems.length + i].toFixed(4)), text]));
    return writeTable([["number", "layer", ...names, "text"], ...rows]);
  }

  save() {
    const address = URL.createObjectURL(new Blob([this.table()], { type: "text/csv" }));
    h("a", { href: address, download: "own-texts.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  }
}

const OWN_TEXTS_STYLE = `
.own-texts form { display: grid; gap: 0.75rem; margin-top: 0.5rem; }
.own-texts textarea {
  width: 100%; font: inherit; color: inherit; padding: 0.5rem; background: var(--ex-paper);
  border: 1px solid var(--ex-muted); border-radius: 2px; resize: vertical;
}
.own-texts .status { min-height: 1.5em; }
`;
