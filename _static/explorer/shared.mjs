// What the explorers share: how an element starts, how its state becomes a link, how it looks.

import { fetchManifest } from "./assets.mjs";

export const SPECIAL = new Set(["[CLS]", "[SEP]", "[PAD]", "[MASK]", "[UNK]"]);

// Make an element: h("p", { class: "note", onclick: f }, "text", other)
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined)
      element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// A text of the reader's in the middle of ours: one that runs from right to left stays by itself.
export function piece(text, properties = {}) {
  return h("bdi", { class: "piece", ...properties }, text);
}

export function verse(text) {
  return h("bdi", { class: "verse" }, text);
}

// ------------------------------------------------------------------ elements

// An explorer shows the children it was given until its data is there, and for good if it never
// comes. A subclass has fetchData(manifest); build(root), which fills the shadow root; state(),
// what is shown as names and texts; and restore(state), which shows it again.
export class Explorer extends HTMLElement {
  async connectedCallback() {
    if (this.phase) return;
    this.phase = "starting";
    this.base = new URL(this.getAttribute("assets") ?? new URL("assets/", import.meta.url), document.baseURI);
    try {
      this.manifest = await fetchManifest(this.base);
      await this.fetchData(this.manifest);
      const root = this.attachShadow({ mode: "open" });
      root.append(h("style", {}, STYLE));
      this.link = h("a", {}, "Link to what is shown here");
      this.build(root);
      this.phase = "ready";
    } catch (error) {
      console.error(error);
      this.phase = "unavailable";
      this.showFallback(error);
    }
    this.setAttribute("state", this.phase);
    if (this.phase === "ready") this.followLinks();
  }

  // ---- #drift-explorer:poem=…&layer=3: a fragment, since what stands there is sent to no server

  followLinks() {
    const follow = () => {
      const [name, state] = location.hash.slice(1).split(/:(.*)/s);
      if (state === undefined || name !== this.linkName()) return;
      this.restore(Object.fromEntries(new URLSearchParams(state)));
      this.scrollIntoView();
    };
    window.addEventListener("hashchange", follow);
    follow();
  }

  linkName() {
    return this.id || this.localName;
  }

  updateLink() {
    this.link.href = `#${this.linkName()}:${new URLSearchParams(this.state())}`;
  }

  showFallback(error) {
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    const note = h("p", { class: "note" }, `The interactive form of this figure could not start: ${error.message}.`);
    root.replaceChildren(h("style", {}, STYLE), h("slot"), note);
  }
}

// The colour of a layer: its depth, from 0 to 1, as a share of what is darkest.
export function depthColour(depth) {
  return `color-mix(in srgb, var(--ex-most) ${Math.round(100 * depth)}%, transparent)`;
}

// Call back when the reader's theme changes, since what is drawn on a canvas keeps its colours.
export function onThemeChange(callback) {
  const observer = new MutationObserver(callback);
  observer.observe(document.documentElement, { attributeFilter: ["data-theme", "class", "style"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", callback);
}

// Tokens that arrow keys walk through; one of them can be reached with Tab.
export function walkWithArrows(list, choose) {
  list.addEventListener("keydown", (event) => {
    const buttons = [...list.querySelectorAll("button")];
    const now = buttons.indexOf(event.target);
    const steps = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
    let next = now + (steps[event.key] ?? 0);
    if (event.key === "Home") next = 0;
    if (event.key === "End") next = buttons.length - 1;
    if (now < 0 || next === now || !buttons[next]) return;
    event.preventDefault();
    choose(next);
    list.querySelectorAll("button")[next].focus();
  });
}

// ------------------------------------------------------------------ words and numbers

// 0.42 and −0.02, as the book writes numbers; what rounds to nothing has no sign
export function share(number, digits = 2) {
  return number.toFixed(digits).replace(/^-(?=0\.?0*$)/, "").replace("-", "−");
}

// A whole number from 1 to largest, or what stands otherwise.
export function within(text, largest, otherwise) {
  const number = Number(text);
  return Number.isInteger(number) && number >= 1 && number <= largest ? number : otherwise;
}

// customElements.define, for a page on which the other form of the script has done it already.
export function define(name, element) {
  if (!customElements.get(name)) customElements.define(name, element);
}

export function percent(number) {
  return `${Math.round(number * 100)}%`;
}

export function count(n, noun) {
  return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
}

export function shorten(text, n = 60) {
  return text.length > n ? text.slice(0, n - 1).trimEnd() + "…" : text;
}

export function modelName(manifest) {
  return manifest.checkpoint.split("/").pop();
}

// ------------------------------------------------------------------ looks

const STYLE = `
:host { color: var(--ex-ink); font-size: 1rem; line-height: 1.5; }
* { box-sizing: border-box; }
.explorer {
  background: var(--ex-paper); border-block: 1px solid var(--ex-line); padding-block: 1rem;
  display: flex; flex-direction: column; gap: 1rem; justify-content: space-between; min-height: var(--ex-wide);
}
.explorer > * { min-width: 0; }
/* as high as is left of the height that explorer.css keeps; its min-height is each explorer's */
.fills { flex: 1 1 0; display: grid; grid-template-rows: minmax(0, 1fr); }
.fills.scroll { display: block; max-height: none; }
.fills .scroll { max-height: none; }
/* a shadow where it goes on, above or below: paper that moves with the text hides it at the ends */
.fills.scroll, .fills .scroll {
  --shadow: color-mix(in srgb, var(--ex-ink) 22%, transparent);
  background:
    linear-gradient(var(--ex-paper) 50%, transparent) top / 100% 1.5rem local,
    linear-gradient(transparent, var(--ex-paper) 50%) bottom / 100% 1.5rem local,
    linear-gradient(var(--shadow), transparent) top / 100% 0.6rem scroll,
    linear-gradient(transparent, var(--shadow)) bottom / 100% 0.6rem scroll;
  background-repeat: no-repeat;
}
@container (max-width: 42rem) { .explorer { min-height: var(--ex-narrow); } }
p, ol, ul, dl, dd, figure { margin: 0; padding: 0; }
ol, ul { list-style: none; }
h3 { margin: 0; font: inherit; font-weight: 600; }
.muted, .note, .provenance, figcaption, legend, dt, .label { color: var(--ex-muted); }
.note, .provenance, figcaption, .label, dt, label, .status { font-size: 0.875rem; }
code, .piece, output { font-family: var(--lw-mono, ui-monospace, "SFMono-Regular", Menlo, Consolas, monospace); }
code, .piece { font-size: 0.875em; }
.piece, .verse { unicode-bidi: isolate; }
.verse { font-family: var(--lw-serif, Georgia, "Iowan Old Style", "Palatino Linotype", serif); }
.numbers, td, output, dd { font-variant-numeric: tabular-nums; }

.controls { display: flex; flex-wrap: wrap; gap: 0.75rem 1.5rem; align-items: end; }
.field { display: grid; gap: 0.25rem; min-width: 0; }
.field.wide { flex: 1 1 16rem; }
.check { display: inline-flex; gap: 0.5rem; align-items: center; min-height: 2.25rem; }
input, select, button { font: inherit; color: inherit; }
input[type="text"], input[type="number"], select {
  width: 100%; min-height: 2.25rem; padding: 0.25rem 0.5rem; background: var(--ex-paper);
  border: 1px solid var(--ex-muted); border-radius: 2px;
}
input[type="number"] { width: 5.5rem; }
input[type="checkbox"] { width: 1.15rem; height: 1.15rem; accent-color: var(--ex-accent); margin: 0; }
input[type="range"] { width: 100%; min-width: 9rem; height: 2.25rem; accent-color: var(--ex-accent); margin: 0; }
button.action {
  min-height: 2.25rem; padding: 0.25rem 0.9rem; background: var(--ex-accent); color: var(--ex-paper);
  border: 1px solid var(--ex-accent); border-radius: 2px; cursor: pointer;
}
button.plain { min-height: 2.25rem; padding: 0.25rem 0.9rem; background: none; border: 1px solid var(--ex-muted); border-radius: 2px; cursor: pointer; }
button:disabled, button[aria-disabled="true"] { opacity: 0.55; cursor: default; }
a { color: var(--ex-accent); }
:focus-visible { outline: 2px solid var(--ex-accent); outline-offset: 2px; }
progress { width: 100%; height: 0.5rem; accent-color: var(--ex-accent); }
details > summary { cursor: pointer; font-size: 0.875rem; min-height: 1.75rem; }
.scroll { overflow: auto; max-height: 22rem; }
[hidden] { display: none !important; }
.out-of-sight { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

table { border-collapse: collapse; font-size: 0.875rem; }
th, td { padding: 0.15rem 0.6rem; text-align: right; font-weight: 400; border-bottom: 1px solid var(--ex-line); white-space: nowrap; }
th[scope="row"], th.text { text-align: left; }
thead th { background: var(--ex-paper); color: var(--ex-muted); }
.scroll thead th { position: sticky; top: 0; z-index: 1; }
@media (prefers-reduced-motion: no-preference) { .fades { transition: opacity 0.15s; } }
.pending { opacity: 0.35; }
`;
