// The reader's own line: the form that asks for it, loading the model, running it.

import { modelFor } from "./model.mjs";
import { isCached } from "./weights.mjs";
import { WordPiece } from "./wordpiece.mjs";
import { count, fetchPart, h, megabytes } from "./shared.mjs";

const PAUSE_IN_TYPING = 250; // milliseconds

// An explorer that uses it has: begin(), a line of the reader's is chosen; markPending(pending);
// show({ text, tokens, attentions, own }); showNothing(reason).
export class OwnLine {
  constructor(explorer) {
    this.explorer = explorer;
    this.manifest = explorer.manifest;
    this.base = explorer.base;
    this.model = modelFor(this.manifest, this.base);
    this.asked = 0; // counts requests: an answer to an older one is not shown
  }

  async prepare() {
    this.kept = this.manifest.weights !== null && (await isCached(this.manifest, this.base));
  }

  // Something else was chosen: what is under way is not shown.
  leave() {
    this.asked++;
    clearTimeout(this.timer);
  }

  build() {
    const { weights, weights_left_out } = this.manifest;
    if (!weights)
      return h("p", { class: "note" },
        `A line of your own cannot be run here: ${weights_left_out}. The lines above were computed beforehand.`);
    this.input = h("input", { type: "text", id: "own", maxlength: 6000, autocomplete: "off",
      placeholder: "The brain is wider than the sky", oninput: () => this.typed(), onfocus: () => this.labelButton() });
    this.button = h("button", { class: "action" });
    this.cancelButton = h("button", { class: "plain", type: "button", hidden: true,
      onclick: () => this.cancel() }, "Cancel");
    this.progress = h("progress", { max: weights.bytes, value: 0, hidden: true, "aria-label": "weights loaded" });
    this.status = h("p", { class: "status", role: "status", "aria-live": "polite" });
    this.labelButton();
    return h("form", { class: "own", onsubmit: (event) => {
      event.preventDefault();
      this.runOwn();
    } },
      h("div", { class: "field wide" }, h("label", { for: "own" }, "Run it on your own line"), this.input),
      this.button, this.cancelButton, h("div", { class: "progress" }, this.progress, this.status));
  }

  labelButton() {
    const size = megabytes(this.manifest.weights.bytes);
    this.button.textContent = this.model.ready ? "Run" : this.kept ? "Load the model and run" : `Load the model (${size}) and run`;
    if (!this.status.textContent)
      this.say(this.model.ready ? "" : this.kept
        ? "Your browser kept the model from an earlier visit: nothing is fetched."
        : `The model is fetched once, ${size}, and kept by your browser. Your line stays in this page.`);
  }

  say(text, isError = false) {
    this.status.textContent = text;
    this.status.classList.toggle("error", isError);
  }

  typed() {
    clearTimeout(this.timer);
    if (this.model.ready) this.timer = setTimeout(() => this.runOwn(), PAUSE_IN_TYPING);
  }

  async runOwn() {
    clearTimeout(this.timer);
    const asked = ++this.asked;
    try {
      await this.loadModel();
      if (asked !== this.asked) return; // another line was chosen meanwhile
      await this.runLine(this.input.value, asked);
    } catch (error) {
      this.loadEnded();
      if ((error.kind ?? error.name) === "AbortError") return this.say("Cancelled. Nothing was kept.");
      this.say(error.message, true);
    }
  }

  // A second click while the model loads joins the first.
  async loadModel() {
    if (this.model.ready) return this.loadEnded();
    this.cancelled = false;
    this.button.disabled = true;
    this.cancelButton.hidden = this.progress.hidden = false;
    this.progress.value = 0;
    this.say("Loading the model …");
    const { bytes } = this.manifest.weights;
    this.tokenizer ??= new WordPiece(await fetchPart(this.manifest, this.base, "vocab"));
    if (this.cancelled) throw new DOMException("cancelled", "AbortError");
    await this.model.load((n) => {
      this.progress.value = n;
      const text = n < bytes ? `${megabytes(n)} of ${megabytes(bytes)}` : "Checking and unpacking …";
      if (n === bytes || n - (this.lastSaid ?? -Infinity) > bytes / 10 || n < this.lastSaid) {
        this.lastSaid = n; // ten announcements, not a thousand
        this.say(text);
      }
    });
    this.say("");
    this.loadEnded();
  }

  cancel() {
    this.cancelled = true;
    this.model.cancel();
  }

  loadEnded() {
    this.button.disabled = false;
    this.cancelButton.hidden = this.progress.hidden = true;
    this.labelButton();
  }

  async runLine(text, asked) {
    const { explorer } = this;
    this.tokenizer ??= new WordPiece(await fetchPart(this.manifest, this.base, "vocab"));
    const batch = this.tokenizer.encode(text);
    const n_tokens = batch.tokens.length;
    const { n_positions } = this.manifest.config;
    explorer.begin();
    if (n_tokens === 2) {
      this.say("");
      return explorer.showNothing("The line is empty: there is nothing to run.");
    }
    if (n_tokens > n_positions) {
      this.say("");
      return explorer.showNothing(
        `This line has ${n_tokens} tokens with [CLS] and [SEP]; the model reads at most ${n_positions}. ` +
        "Make it shorter: nothing is cut off silently here.");
    }
    explorer.markPending(true);
    const start = performance.now();
    const answer = await this.model.run(batch);
    if (answer === null || asked !== this.asked) return; // a newer line is on its way
    explorer.markPending(false);
    this.say(`${count(n_tokens, "token")} in ${Math.round(performance.now() - start)} ms, in this page.`);
    explorer.show({ text, tokens: batch.tokens, attentions: answer.attentions, own: true });
  }
}
