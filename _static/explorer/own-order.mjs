// A line that the reader types for someone else: shuffled, and both orders judged by the page's model.

import { splitWords, LINE_END } from "./ngrams.mjs";
import { OwnLine, whyNotRun } from "./own-line.mjs";

const FEWEST_WORDS = 3;

// An explorer that uses it has: openTyped(words, shuffled, margins).
export class OwnOrder extends OwnLine {
  label = "Type a line, and let someone else choose";
  placeholder = "";
  verb = "shuffle";
  parts = ["vocab", "weights", "order"];

  whyNot() {
    if (this.manifest.weights && !this.manifest.order)
      return `A line of your own cannot be judged here: ${this.manifest.order_left_out}.`;
    return super.whyNot();
  }

  typed() {} // it is shuffled when the reader says so

  async runOwn(text = null) {
    const why = whyNotShuffled(wordsOf(text ?? this.input.value));
    if (why) return this.say(why, true);
    return super.runOwn(text);
  }

  async runLine(text, asked) {
    const { model } = this;
    const words = wordsOf(text);
    const orders = [words, anotherOrder(words)].map((order) => order.join(" "));
    const batches = orders.map((order) => model.tokenizer.encode(order));
    const why = whyNotRun(batches[0].tokens.length, this.manifest.config.n_positions);
    if (why) return this.say(why, true);
    const start = performance.now();
    const margins = await model.margins(batches);
    if (margins === null || asked !== this.asked) return; // a newer line is on its way
    this.say(`Judged in ${Math.round(performance.now() - start)} ms, in this page.`);
    this.input.value = ""; // whoever chooses is not to see it
    this.explorer.openTyped(...orders, margins);
  }

  // A link brings a line.
  offer(text) {
    if (this.whyNot()) return;
    this.input.value = text;
    if (this.model.ready || this.kept === "kept") this.runOwn();
  }
}

function wordsOf(text) {
  return splitWords(text).filter((token) => token !== LINE_END);
}

function whyNotShuffled(words) {
  if (words.length < FEWEST_WORDS) return `Type ${FEWEST_WORDS} words or more: with fewer there is little to choose.`;
  if (new Set(words).size === 1) return "All words of this line are the same: it has no other order.";
  return null;
}

export function shuffle(items, random) {
  const shuffled = [...items];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const k = Math.floor(random() * (i + 1));
    [shuffled[i], shuffled[k]] = [shuffled[k], shuffled[i]];
  }
  return shuffled;
}

// The same words in an order that is not theirs, another one each time.
function anotherOrder(words) {
  for (;;) {
    const shuffled = shuffle(words, Math.random);
    if (shuffled.some((word, i) => word !== words[i])) return shuffled;
  }
}
