// Who attends to whom, as arcs: the tokens of a line, beside them those that one of them attends
// to, and between them lines, as thick as the weights are large. Of a long line, beside the
// window in which its tokens scroll stand the strongest targets, as many as the window holds.

import { h, piece, share, walkWithArrows } from "./shared.mjs";

export const ROW = 28; // pixels from one token to the next
export const ROWS = 12; // of tokens in sight

// The explorer has: shown (the places of the tokens shown), chosen (a place), weight(from, to),
// current.tokens, chooseToken(place), sayRow(place).
export class Arcs {
  constructor(explorer) {
    this.explorer = explorer;
    this.fromList = h("ul", { class: "from", "aria-label": "Attention from" });
    this.toList = h("ol", { class: "to", "aria-hidden": "true" });
    this.lines = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.lines.setAttribute("aria-hidden", "true");
    this.lines.setAttribute("preserveAspectRatio", "none");
    walkWithArrows(this.fromList, (i) => explorer.chooseToken(explorer.shown[i]));
    this.title = h("p", { class: "label sides", "aria-hidden": "true" });
    this.window = h("div", { class: "arcs scroll" }, this.fromList, this.lines, this.toList);
    this.window.addEventListener("scroll", () => this.drawLines());
    this.element = h("div", { class: "side" }, this.title, this.window);
  }

  draw() {
    const { explorer } = this;
    const hadFocus = this.fromList.matches(":focus-within");
    this.fromList.replaceChildren(...explorer.shown.map((i) => h("li", {},
      h("button", { type: "button", "aria-pressed": String(i === explorer.chosen),
        tabindex: i === explorer.chosen ? 0 : -1, onclick: () => explorer.chooseToken(i),
        onpointerenter: (event) => event.pointerType === "mouse" && this.drawLines(i),
        onpointerleave: () => this.drawLines() }, piece(explorer.current.tokens[i])))));
    if (hadFocus) this.fromList.querySelector("[tabindex='0']")?.focus();
    this.drawLines();
  }

  // The strongest targets, in the line's order; of a short line, all.
  targets(from) {
    const { shown } = this.explorer;
    if (shown.length <= ROWS) return shown;
    const weight = (to) => this.explorer.weight(from, to);
    return [...shown].sort((a, b) => weight(b) - weight(a)).slice(0, ROWS).sort((a, b) => a - b);
  }

  drawLines(from = this.explorer.chosen) {
    const { explorer } = this;
    if (!explorer.current || from === undefined) return;
    const targets = this.targets(from);
    const all = targets.length === explorer.shown.length;
    const height = targets.length * ROW;
    this.title.textContent = all ? "from → to" : `from → its ${ROWS} strongest, and their places`;
    this.toList.replaceChildren(...targets.map((to) => h("li", {},
      piece(explorer.current.tokens[to]), all ? "" : h("span", { class: "place" }, to),
      h("span", { class: "numbers weight" }, share(explorer.weight(from, to))))));
    this.lines.setAttribute("viewBox", `0 0 100 ${height}`);
    this.lines.style.height = `${height}px`;
    // A token that has scrolled out of sight sends its arcs from the window's edge.
    const place = (explorer.shown.indexOf(from) + 0.5) * ROW - this.window.scrollTop;
    const y0 = Math.min(Math.max(place, 0), height);
    this.lines.replaceChildren(...targets.map((to, row) => arc(y0, (row + 0.5) * ROW, explorer.weight(from, to))));
    [...this.fromList.children].forEach((item, row) => item.classList.toggle("active", explorer.shown[row] === from));
    explorer.sayRow(from);
  }
}

function arc(y0, y1, weight) {
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", `M0 ${y0} C 50 ${y0}, 50 ${y1}, 100 ${y1}`);
  path.style.strokeWidth = `${(0.5 + 9 * weight).toFixed(2)}px`;
  path.style.strokeOpacity = weight < 0.005 ? "0" : String(Math.min(1, 0.12 + 1.2 * weight));
  return path;
}

export const ARCS_STYLE = `
.arcs { display: grid; grid-template-columns: auto minmax(3rem, 1fr) auto; align-items: start; max-height: ${ROWS * ROW}px; position: relative; }
.arcs svg, .to { position: sticky; top: 0; }
.arcs li { height: ${ROW}px; display: flex; align-items: center; }
.arcs button { background: none; border: 0; border-inline-end: 3px solid transparent; height: ${ROW - 2}px; min-width: 2.5rem; padding: 0 0.4rem; text-align: right; width: 100%; cursor: pointer; white-space: nowrap; }
.arcs :focus-visible { outline-offset: -2px; }
.arcs button[aria-pressed="true"] { border-color: var(--ex-accent); font-weight: 700; }
.arcs li.active button { color: var(--ex-accent); }
.arcs svg { width: 100%; display: block; }
.arcs path { fill: none; stroke: var(--ex-most); vector-effect: non-scaling-stroke; }
.to li { gap: 0.5rem; justify-content: space-between; padding-inline: 0.4rem; }
.to .weight, .to .place { font-size: 0.75rem; color: var(--ex-muted); text-align: right; }
.to .weight { min-width: 2.2em; }
.to .place { flex: 1; }
`;
