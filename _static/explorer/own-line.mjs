// The reader's own line: the form that asks for it, loading the model, running it.

import { isFromFile, isKept, megabytes } from "./assets.mjs";
import { modelFor } from "./model.mjs";
import { count, h } from "./shared.mjs";

const PARTS = ["vocab", "weights"]; // that the model is loaded from
const PAUSE_IN_TYPING = 250; // milliseconds
const NOTICED = 200; // milliseconds; what takes longer shows how far it is
export const SERVER = "since browsers run no model on a page opened from a file: in the book’s folder, " +
  "“python3 -m nox -s serve” starts one.";

// An explorer that uses it has: markPending(pending); show({ text, tokens, attentions, own });
// showNothing(reason), when the line cannot be run.
export class OwnLine {
  label = "Run it on your own line";
  placeholder = "The brain is wider than the sky";
  verb = "run"; // what the button does
  parts = PARTS; // that the browser may have kept

  constructor(explorer) {
    this.explorer = explorer;
    this.manifest = explorer.manifest;
    this.base = explorer.base;
    this.model = modelFor(this.manifest, this.base);
    this.asked = 0; // counts requests: an answer to an older one is not shown
  }

  async prepare() {
    if (this.whyNot()) return;
    this.kept = await isKept(this.manifest, this.base, this.parts);
    this.n_bytes = PARTS.reduce((sum, part) => sum + this.manifest[part].bytes, 0);
  }

  whyNot() {
    if (!this.manifest.weights) return `A line of your own cannot be run here: ${this.manifest.weights_left_out}.`;
    if (isFromFile())
      return `A line of your own needs a server, ${SERVER}`;
    return null;
  }

  build() {
    if (this.whyNot())
      return h("p", { class: "note" }, `${this.whyNot()} The lines here were computed beforehand.`);
    this.input = h("input", { type: "text", id: "own", maxlength: 6000, autocomplete: "off", dir: "auto",
      placeholder: this.placeholder, oninput: () => this.typed(), onfocus: () => this.labelButton() });
    this.button = h("button", { class: "action" });
    this.cancelButton = h("button", { class: "plain", type: "button", hidden: true,
      onclick: () => this.cancel() }, "Cancel");
    this.progress = h("progress", { value: 0, hidden: true });
    this.status = h("p", { class: "status", role: "status", "aria-live": "polite" });
    this.labelButton();
    return h("form", { class: "own", onsubmit: (event) => {
      event.preventDefault();
      this.runOwn();
    } },
      h("div", { class: "field wide" }, h("label", { for: "own" }, this.label), this.input),
      this.button, this.cancelButton, h("div", { class: "progress" }, this.progress, this.status));
  }

  labelButton() {
    const size = megabytes(this.n_bytes);
    const { verb, model: { ready } } = this;
    this.button.textContent = ready ? verb[0].toUpperCase() + verb.slice(1) :
      this.kept === "kept" ? `Load the model and ${verb}` : `Load the model (${size}) and ${verb}`;
    if (this.status.textContent || ready) return;
    this.say({
      kept: "Your browser kept the model from an earlier visit: nothing is fetched.",
      "not kept": `The model is fetched once, ${size}, and kept by your browser. Your line stays in this page.`,
      "never kept": `The model is fetched, ${size}; this browser cannot keep it here. Your line stays in this page.`,
    }[this.kept]);
  }

  say(text, isError = false) {
    this.status.textContent = text;
    this.status.classList.toggle("error", isError);
  }

  // ---------------------------------------------------------------- asking, cancelling

  typed() {
    clearTimeout(this.timer);
    if (this.model.ready) this.timer = setTimeout(() => this.runOwn(), PAUSE_IN_TYPING);
  }

  async runOwn(text = null) {
    clearTimeout(this.timer);
    const asked = ++this.asked;
    try {
      await this.loadModel();
      if (asked === this.asked) await this.runLine(text ?? this.input.value, asked);
      if (asked === this.asked) this.ended();
    } catch (error) {
      const cancelled = error.kind === "AbortError";
      this.explorer.markPending?.(false);
      this.say(cancelled ? "Cancelled. Nothing was kept." : error.message, !cancelled);
      this.ended();
    }
  }

  // Something else was chosen: what runs is stopped, and not shown.
  leave() {
    if (!this.button) return;
    this.asked++;
    clearTimeout(this.timer);
    this.model.stop();
    if (!this.model.loading || this.model.ready) this.ended();
  }

  cancel() {
    if (!this.model.ready) return this.model.cancelLoad();
    this.leave();
    this.explorer.markPending(false);
    this.say("Cancelled. The picture is still that of the line before.");
  }

  // A button that goes while it has the focus hands it on; else the next Tab would start at the top.
  ended() {
    const hadFocus = this.cancelButton.matches(":focus");
    this.cancelButton.hidden = this.progress.hidden = true;
    this.button.removeAttribute("aria-disabled");
    if (hadFocus) this.button.focus();
    this.labelButton();
  }

  showProgress(name, value, max, text) {
    this.cancelButton.hidden = this.progress.hidden = false;
    this.progress.setAttribute("aria-label", name);
    this.progress.max = max;
    this.progress.value = value;
    const tenth = `${name} ${Math.floor((10 * value) / max)}`;
    if (tenth === this.said && value < max) return;
    this.said = tenth; // ten announcements, not a thousand
    this.say(text);
  }

  // A link asks for this line: run it if that needs no download, else say what to do.
  offer(text) {
    const why = this.whyNot();
    this.explorer.showNothing(why ? `The line of this link was not computed beforehand. ${why}`
      : "The line of this link stands below: run it to see its attention.");
    if (why) return;
    this.input.value = text;
    if (this.model.ready || this.kept === "kept") this.runOwn();
  }

  // ---------------------------------------------------------------- loading, running

  // A second click while the model loads joins the first.
  async loadModel() {
    if (this.model.ready) return;
    this.button.setAttribute("aria-disabled", "true");
    const { n_bytes } = this;
    this.showProgress("bytes of the model", 0, n_bytes, "Loading the model …");
    await this.model.load((n) => this.showProgress("bytes of the model", n, n_bytes,
      n < n_bytes ? `${megabytes(n)} of ${megabytes(n_bytes)}` : "Checking and unpacking …"));
    this.say("");
    this.ended();
  }

  async runLine(text, asked) {
    const { explorer, model } = this;
    const batch = model.tokenizer.encode(text);
    const n_tokens = batch.tokens.length;
    const { n_positions, n_layers } = this.manifest.config;
    const cannot = whyNotRun(n_tokens, n_positions);
    if (cannot) {
      this.say("");
      explorer.markPending(false);
      return explorer.showNothing(cannot);
    }
    explorer.markPending(true);
    const start = performance.now();
    const answer = await model.run(batch, (n_done) => {
      if (asked === this.asked && performance.now() - start > NOTICED)
        this.showProgress("layers", n_done, n_layers, `Layer ${n_done} of ${n_layers} is done …`);
    });
    if (answer === null || asked !== this.asked) return; // a newer line is on its way
    explorer.markPending(false);
    this.say(`${count(n_tokens, "token")} in ${Math.round(performance.now() - start)} ms, in this page` +
      (model.fast ? "." : ", by plain loops: this browser lacks the faster way (WebAssembly SIMD)."));
    explorer.show({ text, tokens: batch.tokens, ...answer, own: true });
  }
}

export function whyNotRun(n_tokens, n_positions) {
  if (n_tokens === 2) return "The line is empty: there is nothing to run.";
  if (n_tokens > n_positions)
    return `This line has ${n_tokens} tokens with [CLS] and [SEP]; the model reads at most ${n_positions}. ` +
      "Make it shorter: nothing is cut off silently here.";
  return null;
}
