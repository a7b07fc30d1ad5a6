// <token-explorer>: what the tokenizer makes of a line, or of a pair of lines.
// Needs the vocabulary only. Attributes: text, pair, max_length, assets.

import { fetchText } from "./assets.mjs";
import { Explorer, SPECIAL, count, define, h, modelName, piece, shorten, verse } from "./shared.mjs";
import { WordPiece } from "./wordpiece.mjs";

const MOST_ROWS = 600; // of the table; a page of text is read as far as that
const MOST_NOTES = 6; // words explained one by one

class TokenExplorer extends Explorer {
  async fetchData(manifest) {
    this.tokenizer = new WordPiece(await fetchText(manifest, this.base, "vocab"));
    this.window = manifest.config.n_positions;
  }

  build(root) {
    this.piecesList = h("ol", { class: "pieces", "aria-hidden": "true" });
    this.summary = h("p", { class: "status numbers", role: "status", "aria-live": "polite" });
    this.notes = h("ul", { class: "notes" });
    this.call = h("code");
    this.table = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Tokens" });
    root.append(
      h("style", {}, TOKEN_STYLE),
      h("section", { class: "explorer", "aria-label": "Token explorer" },
        this.buildControls(),
        h("p", { class: "call scroll", tabindex: 0, role: "region", "aria-label": "The same in Python" }, this.call),
        h("div", { class: "strip scroll", tabindex: 0, role: "region", "aria-label": "The line in pieces" }, this.piecesList),
        this.summary,
        h("div", { class: "columns fills" }, this.table, this.notes),
        h("p", { class: "provenance" },
          `Cut in this page with the vocabulary of ${modelName(this.manifest)}, ` +
          `${count(this.tokenizer.pieces.length, "piece")}; the ids are those of the transformers tokenizer. `, this.link)),
    );
    this.show();
  }

  buildControls() {
    const show = () => this.show();
    this.text = h("input", { type: "text", id: "text", maxlength: 6000, autocomplete: "off", spellcheck: "false", dir: "auto",
      oninput: show, value: this.getAttribute("text") ?? "The gossamer’s a filament of light" });
    this.pair = h("input", { type: "text", id: "pair", maxlength: 6000, autocomplete: "off", spellcheck: "false", dir: "auto",
      oninput: show, value: this.getAttribute("pair") ?? "" });
    this.padding = h("input", { type: "checkbox", checked: this.hasAttribute("max_length"), onchange: show });
    this.truncation = h("input", { type: "checkbox", onchange: show });
    this.length = h("input", { type: "number", id: "length", min: 4, max: this.window, step: 1,
      value: this.getAttribute("max_length") ?? 16, oninput: show });
    const check = (box, label) => h("label", { class: "check" }, box, label);
    return h("div", { class: "controls" },
      h("div", { class: "field wide whole" }, h("label", { for: "text" }, "Text"), this.text),
      h("div", { class: "field wide whole" }, h("label", { for: "pair" }, "Second text of a pair, if there is one"), this.pair),
      check(this.padding, "pad"), check(this.truncation, "truncate"),
      h("div", { class: "field" }, h("label", { for: "length" }, "to max_length"), this.length));
  }

  state() {
    const { text, pair, padding, truncation } = this;
    const cut = padding.checked || truncation.checked;
    return { text: text.value, ...(pair.value && { pair: pair.value }), ...(padding.checked && { pad: "yes" }),
      ...(truncation.checked && { truncate: "yes" }), ...(cut && { max_length: this.readLength() }) };
  }

  restore({ text, pair, pad, truncate, max_length }) {
    this.text.value = text ?? "";
    this.pair.value = pair ?? "";
    this.padding.checked = pad === "yes";
    this.truncation.checked = truncate === "yes";
    if (max_length) this.length.value = max_length;
    this.show();
  }

  // ---------------------------------------------------------------- showing

  show() {
    const text = this.text.value;
    const pair = this.pair.value || null;
    const options = {
      padding: this.padding.checked,
      truncation: this.truncation.checked,
      max_length: this.readLength(),
    };
    this.length.disabled = !options.padding && !options.truncation;
    const batch = this.tokenizer.encode(text, pair, options);
    this.updateLink();
    this.showCall(text, pair, options);
    this.showPieces(batch);
    this.showTable(batch);
    this.showSummary(batch);
    this.notes.replaceChildren(...this.explain(text, pair, batch, options).map((note) => h("li", {}, ...note)));
  }

  // A number that makes no sense, or none yet, leaves the last one in force.
  readLength() {
    const number = this.length.valueAsNumber;
    if (Number.isInteger(number) && number >= 4 && number <= this.window) this.lastLength = number;
    return (this.lastLength ??= 16);
  }

  showCall(text, pair, { padding, truncation, max_length }) {
    const values = [pythonString(text)];
    if (pair !== null) values.push(pythonString(pair));
    values.push(padding ? 'padding="max_length"' : "padding=False");
    values.push(truncation ? "truncation=True" : "truncation=False");
    if (padding || truncation) values.push(`max_length=${max_length}`);
    this.call.textContent = `tokenizer(${values.join(", ")})`;
  }

  showPieces({ tokens, token_type_ids, attention_mask }) {
    this.piecesList.replaceChildren(...tokens.slice(0, MOST_ROWS).map((token, i) =>
      h("li", { class: [attention_mask[i] ? `type-${token_type_ids[i]}` : "padding",
        SPECIAL.has(token) ? "special" : "", token.startsWith("##") ? "inside" : ""].join(" ") }, piece(token))));
  }

  showTable({ tokens, input_ids, token_type_ids, attention_mask }) {
    const heading = (name) => // may be broken after each _
      h("th", { scope: "col", class: "piece" }, ...name.split(/(?<=_)/).flatMap((part) => [part, h("wbr")]));
    const rows = tokens.slice(0, MOST_ROWS).map((token, i) =>
      h("tr", { class: attention_mask[i] ? "" : "padding" },
        h("td", { class: "muted" }, i), h("th", { scope: "row" }, piece(token)),
        h("td", {}, input_ids[i]), h("td", {}, token_type_ids[i]), h("td", {}, attention_mask[i])));
    this.table.replaceChildren(h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "#"), h("th", { scope: "col", class: "text" }, "token"),
        heading("input_ids"), heading("token_type_ids"), heading("attention_mask"))),
      h("tbody", {}, ...rows)));
  }

  showSummary({ tokens, attention_mask }) {
    const n_padding = attention_mask.filter((counts) => counts === 0).length;
    this.summary.textContent = count(tokens.length, "token") +
      (n_padding ? `, ${n_padding} of them padding` : "") +
      (tokens.length > MOST_ROWS ? `; the first ${MOST_ROWS} are shown` : "");
  }

  // ---------------------------------------------------------------- explaining

  // What a reader may wonder at, as lists of text and elements.
  explain(text, pair, batch, { padding, truncation, max_length }) {
    const notes = [];
    const words = [...this.tokenizer.words(text), ...(pair === null ? [] : this.tokenizer.words(pair))];
    const n_tokens = batch.tokens.length;
    if (words.length === 0)
      notes.push(["Nothing to cut: an empty text still gets ", code("[CLS]"), " and ", code("[SEP]"), "."]);
    if (n_tokens > this.window)
      notes.push([`${n_tokens} tokens, but the model has ${this.window} positions: the tokenizer only warns, the model fails. Truncate, or cut the text into chunks.`]);
    else if ((padding || truncation) && n_tokens > max_length)
      notes.push([`${n_tokens} tokens are more than max_length ${max_length}: padding makes nothing shorter, only truncation does.`]);
    if (batch.n_dropped > 0)
      notes.push([`Truncation dropped ${count(batch.n_dropped, "piece")}: `, pair === null ? "the end of the text." : "always from the end of the longer text."]);
    notes.push(...unusualWords(words));
    const readBack = this.tokenizer.decode(batch.input_ids);
    if (words.length && readBack !== text && pair === null)
      notes.push(["Read back, the ids say ", h("q", {}, verse(shorten(readBack, 120))), ": case, accents and white space have left no trace."]);
    return notes;
  }
}

// Explain the words that were cut up or not recognized.
function unusualWords(words) {
  const notes = [];
  const seen = new Set();
  for (const { word, pieces } of words) {
    if (seen.has(word)) continue;
    seen.add(word);
    if (pieces[0] === word && SPECIAL.has(word)) notes.push([code(word), " typed in a text is taken for the special token."]);
    else if (pieces[0] === "[UNK]" && [...word].length > 100)
      notes.push([quote(word), ` has ${[...word].length} characters; over 100 a word is not read at all and becomes `, code("[UNK]"), "."]);
    else if (pieces[0] === "[UNK]")
      notes.push([quote(word), " has a part that no piece fits: the whole word becomes ", code("[UNK]"), "."]);
    else if (pieces.length > 1)
      notes.push([quote(word), " is not one of the pieces: the longest that fit, from the left, are ", code(pieces.join(" ")), "."]);
  }
  const more = notes.length - MOST_NOTES;
  return more > 0 ? [...notes.slice(0, MOST_NOTES), [`… and ${count(more, "more word")} like these.`]] : notes;
}

// The string as Python would have it, shortened in the middle if it is very long.
function pythonString(text) {
  const short = text.length > 300 ? `${text.slice(0, 200)} … ${text.slice(-60)}` : text;
  return JSON.stringify(short);
}

const code = (text) => h("code", {}, h("bdi", {}, text));
const quote = (word) => h("q", {}, verse(shorten(word, 30)));

const TOKEN_STYLE = `
.field.whole { flex: 1 1 45%; }
.call { background: color-mix(in srgb, var(--ex-line) 28%, transparent); padding: 0.5rem 0.75rem; height: 4.2rem; }
.call code { overflow-wrap: anywhere; }
.strip { height: 6.6rem; padding-block: 2px; }
.pieces { display: flex; flex-wrap: wrap; gap: 0.35rem; }
.pieces li { padding: 0.1rem 0.4rem; border-bottom: 3px solid var(--ex-accent); background: color-mix(in srgb, var(--ex-accent) 9%, transparent); white-space: nowrap; }
.pieces .type-1 { border-bottom-style: double; border-bottom-width: 5px; background: color-mix(in srgb, var(--ex-muted) 14%, transparent); border-color: var(--ex-muted); }
.pieces .special { background: none; }
.pieces .inside { margin-inline-start: -0.3rem; }
.pieces .padding { border-bottom: 3px dotted var(--ex-line); background: none; color: var(--ex-muted); }
.columns { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 2rem; min-height: 14rem; }
.columns table { width: 100%; }
tr.padding { color: var(--ex-muted); }
.notes { display: grid; gap: 0.6rem; align-content: start; font-size: 0.9375rem; overflow: auto; }
.notes li { border-inline-start: 2px solid var(--ex-line); padding-inline-start: 0.75rem; overflow-wrap: anywhere; }
.summary { min-height: 1.5em; }
@container (max-width: 42rem) {
  .columns { grid-template: minmax(0, 6fr) minmax(0, 5fr) / minmax(0, 1fr); gap: 1rem; min-height: 28rem; }
  .field.whole { flex: 1 0 100%; }
  .provenance { min-height: 4.5em; }
  .call { height: 5.8rem; }
  thead th { white-space: normal; }
  th, td { padding-inline: 0.3rem; font-size: 0.75rem; }
}
`;

define("token-explorer", TokenExplorer);
