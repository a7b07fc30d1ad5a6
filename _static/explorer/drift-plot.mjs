// The plot of the drift explorer: a dot for every poem in every layer, the medians of what is
// compared as lines, and the way of the chosen poem.

import { count, depthColour, h, share } from "./shared.mjs";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 300; // of the plot, in pixels, at every width
const MARGIN = { left: 34, right: 6, top: 12, bottom: 34 };
const DASHES = { solid: "none", dashed: "7 4", dotted: "1.5 4" };

// The explorer has: poems, their noun, n_layers; measure, chosen, other, layer; value(layer, poem);
// median(layer, comparison); beside(), the comparisons that are drawn as lines.
export class DriftPlot {
  // range: the lowest and the highest value there is room for
  constructor(explorer, range) {
    this.explorer = explorer;
    this.range = range;
    this.width = 640;
    this.svg = svg("svg", { role: "img" });
    this.legend = h("p", { class: "label legend" });
    new ResizeObserver(() => {
      if (this.svg.clientWidth && this.svg.clientWidth !== this.width) this.draw();
    }).observe(this.svg);
  }

  // Where a poem's dot stands in a layer: sideways as the dots near it leave room.
  position(layer, poem) {
    const spread = ((poem * 0.618034) % 1) - 0.5; // even, and always the same
    return { x: this.x(layer + spread * 0.62), y: this.y(this.explorer.value(layer, poem)) };
  }

  x(layer) {
    const { left, right } = MARGIN;
    return left + ((layer - 0.5) / this.explorer.n_layers) * (this.width - left - right);
  }

  y(value) {
    const { top, bottom } = MARGIN;
    const [low, high] = this.range;
    return top + ((high - value) / (high - low)) * (HEIGHT - top - bottom);
  }

  draw() {
    const { poems, noun, n_layers, chosen, other, measure } = this.explorer;
    this.width = this.svg.clientWidth || this.width;
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
    this.svg.replaceChildren(...this.axes());
    for (let layer = 1; layer <= n_layers; layer++) {
      poems.forEach((_, poem) => this.svg.append(this.dot(layer, poem)));
      this.svg.append(this.medianMark(layer));
    }
    this.svg.append(...this.explorer.beside().map((comparison) => this.medianLine(comparison)));
    this.drawLegend();
    for (const poem of [other, chosen]) if (poem >= 0) this.svg.append(...this.path(poem));
    this.svg.setAttribute("aria-label",
      `${count(poems.length, noun)} in ${n_layers} layers, cosine: ${measure.label}. ` +
      `Choose a ${noun} and a layer above; the numbers stand in the table below.`);
  }

  axes() {
    const [low, high] = this.range;
    const parts = [];
    for (let fifth = Math.ceil(low * 5); fifth <= high * 5; fifth++) {
      const y = this.y(fifth / 5);
      parts.push(svg("line", { class: fifth ? "grid" : "grid zero", x1: MARGIN.left, x2: this.width - MARGIN.right, y1: y, y2: y }));
      parts.push(svg("text", { x: MARGIN.left - 6, y: y + 4, "text-anchor": "end" }, share(fifth / 5, 1)));
    }
    for (let layer = 1; layer <= this.explorer.n_layers; layer++)
      parts.push(svg("text", { class: layer === this.explorer.layer ? "now" : "", x: this.x(layer), y: HEIGHT - 12, "text-anchor": "middle" },
        this.width < 500 && layer > 1 ? layer : `layer ${layer}`));
    return parts;
  }

  dot(layer, poem) {
    const { x, y } = this.position(layer, poem);
    const dot = svg("circle", { cx: x, cy: y, r: 3.4 });
    dot.style.fill = depthColour(layer / this.explorer.n_layers);
    return dot;
  }

  medianMark(layer) {
    const y = this.y(this.explorer.median(layer));
    return svg("line", { class: "median", x1: this.x(layer - 0.38), x2: this.x(layer + 0.38), y1: y, y2: y });
  }

  // The medians of one comparison through the layers.
  medianLine(comparison) {
    const points = Array.from({ length: this.explorer.n_layers }, (_, i) => `${this.x(i + 1)},${this.y(this.explorer.median(i + 1, comparison))}`);
    return svg("polyline", { class: "medians", "data-name": comparison.name, points: points.join(" "),
      "stroke-dasharray": DASHES[comparison.dash] });
  }

  drawLegend() {
    this.legend.replaceChildren("Medians: ", ...this.explorer.beside().flatMap(({ label, dash }, i) => {
      const sample = svg("svg", { viewBox: "0 0 30 8", "aria-hidden": "true" });
      sample.append(svg("line", { x1: 0, x2: 30, y1: 4, y2: 4, "stroke-dasharray": DASHES[dash] }));
      return [i ? ", " : "", h("span", {}, sample, ` ${label}`)];
    }));
  }

  // The way of one poem through the layers.
  path(poem) {
    const points = Array.from({ length: this.explorer.n_layers }, (_, i) => this.position(i + 1, poem));
    const kind = poem === this.explorer.chosen ? "chosen" : "other";
    const line = svg("polyline", { class: `way ${kind}`, points: points.map(({ x, y }) => `${x},${y}`).join(" ") });
    const rings = points.map(({ x, y }, i) =>
      svg("circle", { class: `ring ${kind}`, cx: x, cy: y, r: i + 1 === this.explorer.layer ? 7.5 : 4.5 }));
    return [line, ...rings];
  }

  nearestDot(event) {
    const box = this.svg.getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    let best = null;
    for (let layer = 1; layer <= this.explorer.n_layers; layer++)
      this.explorer.poems.forEach((_, poem) => {
        const { x, y } = this.position(layer, poem);
        const distance = Math.hypot(x - px, y - py);
        if (!best || distance < best.distance) best = { poem, layer, distance };
      });
    return best.distance < 24 ? best : null; // a finger's breadth
  }
}

function svg(tag, attributes, text = "") {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

export const PLOT_STYLE = `
.plot { display: grid; gap: 0.5rem; }
.plot > svg { width: 100%; height: ${HEIGHT}px; display: block; cursor: pointer; touch-action: pan-y; }
.plot text { font-size: 12px; fill: var(--ex-muted); }
.plot text.now { fill: var(--ex-ink); font-weight: 700; }
.grid { stroke: var(--ex-line); stroke-width: 1; }
.grid.zero { stroke: var(--ex-muted); }
.median { stroke: var(--ex-muted); stroke-width: 2; }
.plot .medians { fill: none; stroke: var(--ex-muted); stroke-width: 1.5; }
.legend { min-height: 1.5em; }
.legend span { white-space: nowrap; }
.legend svg { width: 30px; height: 8px; display: inline; stroke: var(--ex-muted); stroke-width: 1.5; }
.plot circle { stroke: var(--ex-most); stroke-width: 0.6; }
.plot .way { fill: none; stroke: var(--ex-ink); stroke-width: 2; }
.plot .ring { fill: var(--ex-ink); stroke: var(--ex-paper); stroke-width: 1; }
.plot .other { stroke-dasharray: 5 3; }
.plot .ring.other { fill: var(--ex-paper); stroke: var(--ex-ink); stroke-width: 2; stroke-dasharray: none; }
`;
