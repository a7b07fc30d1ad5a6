// <layers-explorer>: a line in every layer, each token the darker the farther it is from where it
// began. Lines computed beforehand first, then the reader's own. Attributes: line, assets.

import { fetchText, unpack } from "./assets.mjs";
import { OwnLine } from "./own-line.mjs";
import { Explorer, SPECIAL, define, h, modelName, verse } from "./shared.mjs";

class LayersExplorer extends Explorer {
  async fetchData(manifest) {
    this.examples = JSON.parse(await fetchText(manifest, this.base, "examples")).examples;
    this.own = new OwnLine(this);
    await this.own.prepare();
  }

  build(root) {
    this.lineSelect = h("select", { id: "line", onchange: () => this.showExample(Number(this.lineSelect.value)) },
      ...this.examples.map(({ text }, i) => h("option", { value: i }, text)),
      h("option", { value: -1, hidden: true, disabled: true }, "your own line"));
    this.caption = h("figcaption");
    this.table = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "The line in every layer" });
    root.append(
      h("style", {}, LAYERS_STYLE),
      h("section", { class: "explorer", "aria-label": "A line in every layer" },
        this.own.build(),
        h("div", { class: "field" }, h("label", { for: "line" }, "or one of these"), this.lineSelect),
        h("figure", { class: "fills" }, this.table, this.caption),
        h("p", { class: "provenance" }, `${modelName(this.manifest)}. `, this.link)),
    );
    this.showExample(Number(this.getAttribute("line") ?? 1));
  }

  // ---------------------------------------------------------------- what an explorer with OwnLine has

  markPending(pending) {
    this.table.classList.toggle("pending", pending);
  }

  showNothing(reason) {
    this.table.replaceChildren(h("p", { class: "note" }, reason));
    this.caption.replaceChildren();
  }

  show({ text, tokens, hidden_states }) {
    this.lineSelect.value = "-1";
    this.draw(text, tokens, hidden_states.map((layer) => distances(layer, hidden_states[0], tokens.length)));
  }

  state() {
    return { line: this.text };
  }

  restore({ line }) {
    const example = this.examples.findIndex(({ text }) => text === line);
    if (example >= 0) this.showExample(example);
    else if (line) this.own.offer(line);
  }

  // ---------------------------------------------------------------- drawing

  showExample(number) {
    const { text, tokens, moved } = this.examples[number] ?? this.examples[0];
    this.own.leave();
    this.lineSelect.value = String(this.examples.findIndex((example) => example.text === text));
    const all = unpack(moved, Uint8Array); // (n_layers + 1, n_tokens)
    this.draw(text, tokens, Array.from({ length: all.length / tokens.length }, (_, layer) =>
      all.slice(layer * tokens.length, (layer + 1) * tokens.length)));
  }

  // moved: for each layer, how far each token is from its vector in layer 0
  draw(text, tokens, moved) {
    this.text = text;
    const rows = moved.map((distances, layer) =>
      h("tr", { style: `--row: ${layer}` }, h("th", { scope: "row" }, layer), ...Array.from(distances, (distance) =>
        h("td", { style: `--share: ${Math.min(1, Math.max(0, distance)).toFixed(3)}` }, distance.toFixed(2)))));
    this.table.replaceChildren(h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "layer"),
        ...tokens.map((token) => h("th", { scope: "col", class: "token" }, h("bdi", { class: "piece" }, token))))),
      h("tbody", {}, ...rows)));
    const last = Array.from(moved.at(-1), (distance, i) => (SPECIAL.has(tokens[i]) ? -1 : distance));
    const farthest = last.indexOf(Math.max(...last));
    this.caption.replaceChildren("“", verse(text), "”, token by token, layer by layer. The stronger the colour, the farther a token's vector is from where it began: " +
      `1 − cosine with layer 0. Of the line itself “${tokens[farthest]}” has moved most, ${last[farthest].toFixed(2)}.`);
    this.updateLink();
  }
}

// 1 - cosine of each token's vector in a layer with its vector in layer 0; both (n_tokens, n_dims)
function distances(layer, static_layer, n_tokens) {
  const n_dims = layer.length / n_tokens;
  return Float32Array.from({ length: n_tokens }, (_, token) => {
    let [product, a, b] = [0, 0, 0];
    for (let i = token * n_dims; i < (token + 1) * n_dims; i++) {
      product += layer[i] * static_layer[i];
      a += layer[i] ** 2;
      b += static_layer[i] ** 2;
    }
    return Math.max(0, 1 - product / Math.sqrt(a * b));
  });
}

const LAYERS_STYLE = `
.explorer { max-width: 46rem; }
.own { display: flex; flex-wrap: wrap; gap: 0.75rem; align-items: end; }
.progress { flex-basis: 100%; }
.fills { grid-template-rows: auto 1fr; grid-template-columns: minmax(0, 1fr); }
figcaption { margin-top: 0.75rem; }
table { border-collapse: separate; border-spacing: 2px; }
th, td { border: 0; }
thead th { position: static; }
.token { padding: 0 0.15rem 0.2rem; text-align: center; vertical-align: bottom; }
td {
  min-width: 2.9rem; padding: 0.3rem 0.15rem; text-align: center; border-radius: 2px;
  background: color-mix(in srgb, var(--ex-accent) calc(var(--ex-most-behind-text) * var(--share)), transparent);
}
@media (prefers-reduced-motion: no-preference) {
  td { animation: arrive 0.25s calc(0.09s * var(--row)) both; }
  @keyframes arrive { from { background: transparent; } }
}
@media print { .own, .field { display: none; } }
`;

define("layers-explorer", LayersExplorer);
