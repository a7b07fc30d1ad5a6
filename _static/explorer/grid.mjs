// A table of cells that can be chosen, layers by tokens; the last layer stands on top, as streams
// are drawn. One cell can be reached with Tab, the others with the arrow keys from there.

import { h, verse } from "./shared.mjs";

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

// cell(layer, token), both numbers of rows and columns, gives what stands there: { text, name,
// share, kind }. Returns the table and mark(layer, token), which shows a cell as chosen.
export function cellGrid({ caption, layers, tokens, cell, choose }) {
  const order = layers.map((_, i) => i).reverse();
  const buttons = layers.map((layer, i) => tokens.map((token, j) => {
    const { text, name, share, kind = "" } = cell(i, j);
    return h("button", { type: "button", class: kind, tabindex: -1, "aria-pressed": "false",
      "aria-label": `layer ${layer}, ${readable(token)}: ${name}`, style: `--share: ${share.toFixed(3)}`,
      onclick: () => choose(i, j) }, text);
  }));
  const table = h("table", { class: "cells" }, h("caption", {}, caption),
    h("thead", {}, h("tr", {}, h("th", { scope: "col", class: "text" }, "layer"),
      ...tokens.map((token) => h("th", { scope: "col" }, verse(readable(token)))))),
    h("tbody", {}, ...order.map((i) => h("tr", {}, h("th", { scope: "row" }, layers[i]),
      ...buttons[i].map((button) => h("td", {}, button))))));
  table.addEventListener("keydown", (event) => {
    const rows = order.map((i) => buttons[i]);
    const i = rows.findIndex((row) => row.includes(event.target));
    const [down, right] = STEPS[event.key] ?? [0, 0];
    const next = rows[i + down]?.[rows[i]?.indexOf(event.target) + right];
    if (!next || next === event.target) return;
    event.preventDefault();
    next.click();
    next.focus();
  });
  const mark = (layer, token) => buttons.forEach((row, i) => row.forEach((button, j) => {
    const is_chosen = i === layer && j === token;
    button.tabIndex = is_chosen ? 0 : -1;
    button.setAttribute("aria-pressed", String(is_chosen));
  }));
  return { table, mark };
}

// A token as it is read: a line end is a word too.
export function readable(token) {
  return token.trim() === "" ? (token.includes("\n") ? "↵" : "␣") : token.trim();
}

export const GRID_STYLE = `
.cells { border-collapse: separate; border-spacing: 1px; }
.cells caption { text-align: start; padding-bottom: 0.25rem; white-space: nowrap; }
.cells :is(th, td) { border: 0; padding: 0; }
.cells thead th { padding: 0 0.25rem; text-align: center; font-size: 1rem; color: inherit; position: static; }
.cells th[scope="row"] { padding-inline-end: 0.5rem; text-align: end; font-variant-numeric: tabular-nums; }
.cells button {
  display: block; width: 100%; min-height: 1.5rem; padding: 0 0.3rem; border: 0; cursor: pointer; text-align: center;
  overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-variant-numeric: tabular-nums;
  background: color-mix(in srgb, var(--ex-most) calc(var(--share) * var(--ex-most-behind-text)), transparent);
}
.cells button[aria-pressed="true"] { box-shadow: inset 0 0 0 2px var(--ex-ink); }
`;
