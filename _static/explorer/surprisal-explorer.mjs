// <surprisal-explorer>: each token of a poem on what it cost the model that read it; with its
// title before it, or without. Attributes: poem (a title), assets.

import { fetchText } from "./assets.mjs";
import { Explorer, count, define, h, share, verse, walkWithArrows, within } from "./shared.mjs";

const N_ALTERNATIVES = 3;

class SurprisalExplorer extends Explorer {
  async fetchData(manifest) {
    this.data = JSON.parse(await fetchText(manifest, this.base, "strips"));
    this.poems = this.data.poems;
  }

  build(root) {
    this.select = h("select", { id: "poem", onchange: () => this.show() },
      ...this.poems.map(({ title }, i) => h("option", { value: i }, title)));
    this.titled = h("input", { type: "checkbox", id: "title", onchange: () => this.show() });
    this.strip = h("div", { class: "strip", role: "group", "aria-label": "The poem: each token can be chosen" });
    this.token = h("p", { class: "token" });
    this.facts = h("p", { class: "numbers" });
    this.others = h("ol", { class: "others" });
    this.summary = h("p", { class: "status numbers", role: "status", "aria-live": "polite" });
    walkWithArrows(this.strip, (i) => this.choose(i));
    root.append(
      h("style", {}, SURPRISAL_STYLE),
      h("section", { class: "explorer", "aria-label": "Surprisal explorer" },
        h("div", { class: "controls" },
          h("div", { class: "field wide" }, h("label", { for: "poem" }, "Poem"), this.select),
          h("label", { class: "check" }, this.titled, "its title stands before it")),
        this.summary,
        h("div", { class: "columns fills" },
          h("div", { class: "scroll page", tabindex: 0, role: "region", "aria-label": "The poem, token by token" }, this.strip),
          h("div", { class: "next" }, this.token, this.facts, h("p", { class: "label" }, "Held to be most probable here"), this.others)),
        h("p", { class: "provenance" }, `Read once by ${this.data.model}; the stronger the colour, the more bits. `, this.link)),
    );
    this.open(this.getAttribute("poem") ?? "Hope");
  }

  open(title) {
    this.select.value = String(Math.max(0, this.poems.findIndex((poem) => poem.title === title)));
    this.show();
  }

  state() {
    return { poem: this.select.value, token: this.chosen + 1, ...(this.titled.checked && { title: "yes" }) };
  }

  restore({ poem, token, title }) {
    this.select.value = String(within(Number(poem) + 1, this.poems.length, 1) - 1);
    this.titled.checked = title === "yes";
    this.show();
    this.choose(within(token, this.pieces.length, 1) - 1);
  }

  // ---------------------------------------------------------------- showing

  show() {
    const { text, starts, readings } = this.poems[Number(this.select.value)];
    this.pieces = starts.map((start, i) => text.slice(start, starts[i + 1]));
    this.reading = readings[Number(this.titled.checked)];
    const most = Math.max(...readings.flatMap(({ bits }) => bits)); // both readings share a scale
    this.buttons = this.pieces.map((piece, i) => h("button", { type: "button", tabindex: -1, "aria-pressed": "false",
      "aria-label": `${name(piece)}, ${share(this.reading.bits[i] / 10, 1)} bits`, style: `--share: ${(this.reading.bits[i] / most).toFixed(3)}`,
      onclick: () => this.choose(i) }, drawn(piece)));
    this.strip.replaceChildren(...this.buttons.flatMap((button, i) => (this.pieces[i].includes("\n") ? [button, h("br")] : [button])));
    const [alone, titled] = readings.map(({ bits }) => bits.reduce((a, b) => a + b, 0) / 10 / text.length);
    this.summary.textContent = `${count(this.pieces.length, "token")}; ${share(alone)} bits a character alone, ${share(titled)} after its title.`;
    this.choose(0);
  }

  choose(i) {
    this.chosen = i;
    this.buttons.forEach((button, k) => {
      button.tabIndex = k === i ? 0 : -1;
      button.setAttribute("aria-pressed", String(k === i));
    });
    const { bits, rank, alternatives } = this.reading;
    this.token.replaceChildren(verse(name(this.pieces[i])));
    this.facts.textContent = `${share(bits[i] / 10, 1)} bits: ${rank[i] === 0 ? "no token was" : rank[i] === 1 ? "one token was" : `${rank[i].toLocaleString("en")} tokens were`} held to be more probable.`;
    const best = alternatives.slice(N_ALTERNATIVES * i, N_ALTERNATIVES * (i + 1));
    this.others.replaceChildren(...best.map((k) => h("li", {}, verse(name(this.data.pieces[k])))));
    this.updateLink();
  }
}

const drawn = (piece) => piece.replaceAll("\n", "↵").replaceAll(" ", "\u00a0");
const name = (piece) => (piece.trim() === "" ? (piece.includes("\n") ? "line end" : "space") : piece.trim());

const SURPRISAL_STYLE = `
.columns { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 2rem; min-height: 24rem; }
.page { padding: 2px; }
.strip { font-family: var(--lw-serif, Georgia, "Iowan Old Style", "Palatino Linotype", serif); line-height: 1.7; }
.strip button {
  font: inherit; color: inherit; border: 0; border-radius: 0; padding: 0; min-height: 1.6rem; cursor: pointer;
  background: color-mix(in srgb, var(--ex-most) calc(var(--share) * var(--ex-most-behind-text)), transparent);
}
.strip button[aria-pressed="true"] { box-shadow: inset 0 -2px var(--ex-ink); }
.next { min-height: 12rem; }
.token { font-size: 1.25rem; min-height: 2rem; overflow-wrap: anywhere; }
.facts { min-height: 3em; }
.next .label { margin-top: 0.75rem; }
.others { list-style: decimal inside; }
@container (max-width: 42rem) {
  .columns { grid-template: minmax(0, 1fr) auto / minmax(0, 1fr); gap: 1rem; min-height: 38rem; }
}
`;

define("surprisal-explorer", SurprisalExplorer);
