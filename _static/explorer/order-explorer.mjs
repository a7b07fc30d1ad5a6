// <order-explorer>: which of two orders is the line? The reader against a model and counted pairs,
// both of which have not read the line's poem. Computed beforehand. Attributes: assets.

import { fetchText, fromThousandths } from "./assets.mjs";
import { randomNumbers } from "./ngrams.mjs";
import { Explorer, define, h, share, verse, within } from "./shared.mjs";

const PLAYERS = ["you", "the model, LoRA", "counted pairs"];
const METHOD_OF = { "the model, LoRA": "LoRA, all lines", "counted pairs": "counted pairs, all lines" };

class OrderExplorer extends Explorer {
  async fetchData(manifest) {
    this.data = JSON.parse(await fetchText(manifest, this.base, "learning"));
    this.margins = Object.fromEntries(PLAYERS.slice(1).map((player) => {
      const method = this.data.methods.find(({ name }) => name === METHOD_OF[player]);
      return [player, { real: fromThousandths(method.true), shuffled: fromThousandths(method.shuffled) }];
    }));
  }

  build(root) {
    this.choices = [0, 1].map((i) => h("button", { class: "choice", type: "button", onclick: () => this.choose(i) }));
    this.nextButton = h("button", { class: "action", type: "button", onclick: () => this.open(this.round + 1) }, "Next line");
    this.said = h("p", { class: "status", role: "status", "aria-live": "polite" });
    this.scores = h("tbody");
    root.append(
      h("style", {}, ORDER_STYLE),
      h("section", { class: "explorer", "aria-label": "Order explorer" },
        h("p", {}, "One of these is a line by Dickinson, in lower case and without punctuation. The other has its words shuffled. Which is the line?"),
        h("div", { class: "choices" }, ...this.choices), this.said,
        h("table", {}, h("caption", { class: "out-of-sight" }, "Score"),
          h("thead", {}, h("tr", {}, ...["", "right", "of", "its margins for the two"].map((name) => (name ? h("th", { scope: "col" }, name) : h("td"))))), this.scores),
        h("div", {}, this.nextButton),
        h("p", { class: "provenance" }, `The model is ${this.data.encoder.split("/").pop()}, trained on lines of other poems; pairs were counted on the same. `, this.link)),
    );
    this.right = Object.fromEntries(PLAYERS.map((player) => [player, 0]));
    this.played = 0;
    this.open(1);
  }

  state() {
    return { round: this.round };
  }

  restore({ round }) {
    this.open(within(round, 1e6, 1));
  }

  // The line of a round, and the place of the real one, are drawn by the number of the round.
  open(round) {
    this.round = round;
    const random = randomNumbers(round);
    this.line = Math.floor(random() * this.data.lines.length);
    this.real = random() < 0.5 ? 0 : 1;
    this.chosen = null;
    const [, , , words, shuffled] = this.data.lines[this.line];
    this.choices.forEach((button, i) => {
      button.replaceChildren(verse(i === this.real ? words : shuffled));
      button.className = "choice";
      button.removeAttribute("aria-disabled");
    });
    this.said.textContent = "Choose one.";
    this.showScores();
    this.updateLink();
  }

  choose(i) {
    if (this.chosen !== null) return;
    this.chosen = i;
    this.played += 1;
    this.right.you += i === this.real;
    for (const player of PLAYERS.slice(1)) this.right[player] += this.isRight(player);
    this.choices.forEach((button, k) => {
      button.classList.toggle("real", k === this.real);
      button.setAttribute("aria-disabled", "true");
    });
    const poem = this.data.poems[this.data.lines[this.line][0]];
    this.said.replaceChildren(i === this.real ? "Right: the line is “" : "No: the line is “",
      verse(this.data.lines[this.line][3]), "”, from “", verse(poem), "”.");
    this.showScores();
  }

  // 1, 0, or a half for a tie
  isRight(player) {
    const { real, shuffled } = this.margins[player];
    const gap = real[this.line] - shuffled[this.line];
    return gap === 0 ? 0.5 : Number(gap > 0);
  }

  showScores() {
    this.scores.replaceChildren(...PLAYERS.map((player) => {
      const margins = this.margins[player];
      const shown = this.chosen === null || !margins ? "" :
        [0, 1].map((i) => share((i === this.real ? margins.real : margins.shuffled)[this.line], 1)).join(" and ");
      return h("tr", {}, h("th", { scope: "row" }, player), h("td", {}, this.right[player]), h("td", {}, this.played), h("td", {}, shown));
    }));
  }
}

const ORDER_STYLE = `
.explorer { max-width: 46rem; }
.choices { display: grid; gap: 0.75rem; grid-template-columns: repeat(auto-fit, minmax(min(16rem, 100%), 1fr)); }
.choice {
  font-size: 1.125rem; min-height: 4.5rem; padding: 0.5rem 0.9rem; text-align: start; cursor: pointer; background: none;
  border: 1px solid var(--ex-muted); border-radius: 2px;
}
.choice[aria-disabled="true"] { opacity: 1; cursor: default; }
.choice.real { background: color-mix(in srgb, var(--ex-most) var(--ex-most-behind-text), transparent); }
.status { min-height: 3em; }
table { width: 100%; }
td:last-child, th:last-child { white-space: normal; }
@container (max-width: 42rem) { .status { min-height: 4.5em; } }
`;

define("order-explorer", OrderExplorer);
