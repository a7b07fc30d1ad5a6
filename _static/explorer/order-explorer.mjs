// <order-explorer>: which of two orders is the line? The reader against a model and counted pairs,
// neither of which was trained on the line's poem: computed beforehand for lines of such poems, and in
// this page for a line that is typed. Attributes: assets.

import { fetchText } from "./assets.mjs";
import { countPairs } from "./counted-pairs.mjs";
import { marginsOf, rightAlone, rightAsPair } from "./margins.mjs";
import { randomNumbers } from "./ngrams.mjs";
import { OwnOrder, shuffle } from "./own-order.mjs";
import { Explorer, count, define, h, share, verse, within } from "./shared.mjs";

const YOU = "you", MODEL = "the model, LoRA", PAIRS = "counted pairs";
const PLAYERS = [YOU, MODEL, PAIRS];
const METHOD_OF = { [MODEL]: "LoRA, all lines", [PAIRS]: "counted pairs, all lines" };
const ASKED = "One of these is a line, in lower case and without punctuation. The other has its words shuffled. Which is the line?";
const SCORE_OF = { book: "Score: lines by Dickinson, of poems that the model was not trained on", typed: "Score: lines that were typed here" };

class OrderExplorer extends Explorer {
  async fetchData(manifest) {
    this.data = JSON.parse(await fetchText(manifest, this.base, "learning"));
    const { lines, methods, in_page } = this.data;
    this.margins = Object.fromEntries(Object.entries(METHOD_OF).map(([player, name]) =>
      [player, marginsOf(methods.find((each) => each.name === name))]));
    const places = lines.map((_, i) => i);
    this.heldOut = places.filter((i) => lines[i][2] === in_page.fold);
    this.trained = places.filter((i) => lines[i][2] !== in_page.fold);
    this.order = shuffle(this.heldOut, randomNumbers(1)); // in which they are asked
    this.own = new OwnOrder(this);
    await this.own.prepare();
  }

  build(root) {
    this.choices = [0, 1].map((i) => h("button", { class: "choice", type: "button", onclick: () => this.choose(i) }));
    this.box = h("div", { class: "choices" }, ...this.choices);
    this.said = h("p", { class: "said", role: "status", "aria-live": "polite" });
    this.caption = h("caption");
    this.rows = h("tbody");
    this.againButton = h("button", { class: "plain", type: "button", hidden: true,
      onclick: () => this.own.runOwn(this.round.real) }, "Shuffle again");
    root.append(
      h("style", {}, ORDER_STYLE),
      h("section", { class: "explorer", "aria-label": "Order explorer" },
        h("p", {}, ASKED), this.box, this.said,
        h("table", {}, this.caption, head("", "right", "of", "its margins for the two"), this.rows),
        h("div", { class: "controls" },
          h("button", { class: "action next", type: "button", onclick: () => this.open(this.number + 1) }, "Next line"),
          this.againButton),
        this.own.build(), this.buildHeldOut(), this.buildProvenance()),
    );
    this.score = Object.fromEntries(Object.keys(SCORE_OF).map((kind) =>
      [kind, { of: 0, right: Object.fromEntries(PLAYERS.map((player) => [player, 0])) }]));
    this.shown = new Set(); // lines that were asked: the second time one knows
    this.open(1);
  }

  // ---------------------------------------------------------------- what is known of both

  buildHeldOut() {
    const { controls } = this.data.in_page;
    const mean = (kind) => controls.reduce((sum, right) => sum + right[kind], 0) / controls.length;
    const of = (player, places) => [rightAsPair, rightAlone].map((right) =>
      places.reduce((sum, i) => sum + right(this.margins[player], i), 0) / places.length);
    const all = [...this.heldOut, ...this.trained];
    const rows = [
      [MODEL, ...of(MODEL, this.heldOut)],
      [PAIRS, ...of(PAIRS, this.heldOut)],
      [`taught labels dealt at random, mean of ${controls.length} deals`, mean("both"), mean("alone")],
      ["a bag of words, whatever it learned", 0.5, 0.5],
      ["five models, each on its fifth of the poems", ...of(MODEL, all)],
    ];
    const noise = share(0.5 / Math.sqrt(this.heldOut.length));
    return h("details", {}, h("summary", {}, "How often is it right?"),
      h("table", {},
        h("caption", {}, `Share right on ${count(this.heldOut.length, "line")} of ${count(this.poemsOf(this.heldOut), "poem")} not trained on, ` +
          `but for the last row. Who guesses is at 0.50 ± ${noise} as a pair.`),
        head("", "as a pair", "alone"),
        h("tbody", {}, ...rows.map(([name, ...shares]) =>
          h("tr", {}, h("th", { scope: "row" }, name), ...shares.map((each) => h("td", {}, share(each))))))));
  }

  buildProvenance() {
    return h("p", { class: "provenance" },
      `The model is ${this.data.encoder.split("/").pop()} with LoRA, trained on the ${count(this.trained.length, "line")} of ` +
      `${count(this.poemsOf(this.trained), "other poem")} and their shuffles; pairs were counted on the same lines. ` +
      (this.own.whyNot() ? "" : "For a typed line it runs in this page, with its weights rounded to 10 bits. "), this.link);
  }

  poemsOf(places) {
    return new Set(places.map((i) => this.data.lines[i][0])).size;
  }

  // ---------------------------------------------------------------- rounds

  state() {
    return this.round.kind === "typed" ? { line: this.round.real } : { round: this.number };
  }

  restore({ round, line }) {
    if (line) this.own.offer(line);
    else this.open(within(round, 1e6, 1));
  }

  // A line of the book: which one, and where it stands, is decided by the number of the round.
  open(number) {
    this.own.leave();
    this.number = number;
    const random = randomNumbers(number);
    this.line = this.order[(number - 1) % this.order.length];
    const [poem, , , real, shuffled] = this.data.lines[this.line];
    const margins = Object.fromEntries(Object.entries(this.margins).map(([player, of]) =>
      [player, [of.true[this.line], of.shuffled[this.line]]]));
    this.show({ kind: "book", real, shuffled, margins, place: random() < 0.5 ? 0 : 1, from: this.data.poems[poem] });
  }

  // A line that was typed, and what the model made of its two orders.
  openTyped(real, shuffled, margins) {
    this.saved ??= countPairs(this.trained.map((i) => this.data.lines[i][3]));
    const trainedOn = this.poemWith(real, this.trained);
    this.show({
      kind: "typed", real, shuffled, margins: { [MODEL]: margins, [PAIRS]: [real, shuffled].map(this.saved) },
      place: Math.random() < 0.5 ? 0 : 1, trainedOn, from: trainedOn ?? this.poemWith(real, this.heldOut),
    });
    this.box.scrollIntoView({ block: "nearest" });
  }

  // The first line of a poem, of those lines, in which a line's words stand, in any order or as part.
  poemWith(words, places) {
    const bag = (line) => line.split(" ").sort().join(" ");
    const within = (part, line) => ` ${line} `.includes(` ${part} `);
    const found = places.find((i) => {
      const line = this.data.lines[i][3];
      return bag(line) === bag(words) || within(words, line) || within(line, words);
    });
    return found === undefined ? null : this.data.poems[this.data.lines[found][0]];
  }

  show(round) {
    this.round = round;
    this.chosen = null;
    this.real = round.place;
    if (round.trainedOn)
      round.notCounted = ["not counted, since the model was trained on a line with these words, of “", verse(round.trainedOn), "”"];
    else if (this.shown.has(round.real)) round.notCounted = ["not counted, since this line was asked before"];
    this.shown.add(round.real);
    this.choices.forEach((button, i) => {
      button.replaceChildren(verse(i === this.real ? round.real : round.shuffled));
      button.className = "choice";
      button.removeAttribute("aria-disabled");
    });
    this.say("Choose one");
    this.showScores();
    this.updateLink();
  }

  choose(i) {
    if (this.chosen !== null) return;
    this.chosen = i;
    const { kind, real, from, trainedOn, notCounted } = this.round;
    if (!notCounted) {
      this.score[kind].of += 1;
      for (const player of PLAYERS) this.score[kind].right[player] += this.isRight(player);
    }
    this.choices.forEach((button, k) => {
      button.classList.toggle("real", k === this.real);
      button.setAttribute("aria-disabled", "true");
    });
    this.againButton.hidden = !this.own.model.ready;
    this.say(i === this.real ? "Right: the line is “" : "No: the line is “", verse(real), "”",
      ...(from && !trainedOn ? [kind === "book" ? ", from “" : ", which stands in “", verse(from), "”"] : []));
    this.showScores();
  }

  say(...what) {
    const { notCounted } = this.round;
    this.said.replaceChildren(...what, ...(notCounted ? ["; ", ...notCounted] : []), ".");
  }

  // 1, 0, or a half for a tie
  isRight(player) {
    if (player === YOU) return Number(this.chosen === this.real);
    const [real, shuffled] = this.round.margins[player];
    return real === shuffled ? 0.5 : Number(real > shuffled);
  }

  showScores() {
    const { kind, margins } = this.round;
    const { of, right } = this.score[kind];
    this.caption.textContent = SCORE_OF[kind];
    this.rows.replaceChildren(...PLAYERS.map((player) => {
      const both = margins[player];
      const shown = this.chosen === null || !both ? "" :
        (this.real === 0 ? both : [...both].reverse()).map((margin) => share(margin, 1)).join(" and ");
      return h("tr", {}, h("th", { scope: "row" }, player), h("td", {}, right[player]), h("td", {}, of), h("td", {}, shown));
    }));
  }
}

function head(...names) {
  return h("thead", {}, h("tr", {}, ...names.map((name) => (name ? h("th", { scope: "col" }, name) : h("td")))));
}

const ORDER_STYLE = `
.explorer { max-width: 46rem; }
.choices { display: grid; gap: 0.75rem; grid-template-columns: repeat(auto-fit, minmax(min(16rem, 100%), 1fr)); }
.choice {
  font-size: 1.125rem; min-height: 4.5rem; padding: 0.5rem 0.9rem; text-align: start; cursor: pointer; background: none;
  border: 1px solid var(--ex-muted); border-radius: 2px; overflow-wrap: anywhere;
}
.choice[aria-disabled="true"] { opacity: 1; cursor: default; }
.choice.real { background: color-mix(in srgb, var(--ex-most) var(--ex-most-behind-text), transparent); }
.said { font-size: 0.875rem; min-height: 3em; }
table { width: 100%; }
caption { text-align: start; color: var(--ex-muted); padding-bottom: 0.25rem; }
td:last-child, th { white-space: normal; }
.own { display: flex; flex-wrap: wrap; gap: 0.75rem; align-items: end; }
.own .progress { flex: 1 0 100%; min-height: 2.6em; }
.error { color: var(--ex-accent); }
@container (max-width: 42rem) { .said { min-height: 6em; } .own .progress { min-height: 4.5em; } }
`;

define("order-explorer", OrderExplorer);
