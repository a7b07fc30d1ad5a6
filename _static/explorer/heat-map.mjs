// A square of cells on a canvas: nothing where the weight is 0, darker where it is larger. A map
// that is too large is seen through a window: cells move under it, the labels stay at its edge.

import { share } from "./shared.mjs";

const MOST_LABEL_SPACE = 0.24; // of the side, for the labels of rows and of columns
const SMALLEST_CELL = 13; // pixels: large enough for a label one can read
const LEGEND = 22;

// box: scrolls; in it a sizer, and in that the canvas, which stays in sight.
// labels (n); weight(row, column); largest: the weight drawn darkest; chosen: the row to mark.
// Returns what cellAt and revealRow need.
export function drawHeatMap(box, { labels, weight, largest, chosen }) {
  const [sizer] = box.children;
  const [canvas] = sizer.children;
  const side = Math.min(box.clientWidth, box.clientHeight);
  if (!side || !labels.length) return null;
  const pen = prepare(canvas, side);
  const colour = colours(canvas);
  const font = getComputedStyle(canvas).fontFamily || "sans-serif";
  const n = labels.length;
  pen.font = `bold 13px ${font}`;
  const longest = Math.max(...labels.map((label) => pen.measureText(label).width)) + 10;
  const margin = Math.min(longest, side * MOST_LABEL_SPACE);
  const view = side - margin - LEGEND;
  const cell = Math.max(view / n, SMALLEST_CELL);
  const width = Math.min(n * cell, view); // of what is seen of the map
  sizer.style.width = sizer.style.height = `${Math.floor(side + n * cell - width)}px`;
  const map = { n, margin, cell, width, largest, chosen, side, colour, font, left: box.scrollLeft, top: box.scrollTop };
  drawCells(pen, map, weight);
  drawLabels(pen, map, labels);
  drawScale(pen, map);
  return map;
}

function prepare(canvas, side) {
  const sharpness = window.devicePixelRatio || 1;
  canvas.style.width = canvas.style.height = `${side}px`;
  canvas.width = canvas.height = Math.round(side * sharpness);
  const pen = canvas.getContext("2d");
  pen.scale(sharpness, sharpness);
  return pen;
}

function colours(canvas) {
  const style = getComputedStyle(canvas);
  const names = ["ink", "muted", "line", "most"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--ex-${name}`).trim()]));
}

// The cells in sight along one side, of a map scrolled by so many pixels.
function inSight({ n, cell, width }, scrolled) {
  const first = Math.floor(scrolled / cell);
  const last = Math.min(n, Math.ceil((scrolled + width) / cell));
  return Array.from({ length: last - first }, (_, i) => first + i);
}

function drawCells(pen, map, weight) {
  const { margin, cell, width, left, top, largest, chosen, colour } = map;
  const gap = cell > 8 ? 1 : 0;
  pen.save();
  pen.beginPath();
  pen.rect(margin - 1, margin - 1, width + 2, width + 2);
  pen.clip();
  pen.translate(margin - left, margin - top);
  pen.fillStyle = colour.most;
  for (const i of inSight(map, top))
    for (const j of inSight(map, left)) {
      pen.globalAlpha = weight(i, j) / largest;
      pen.fillRect(j * cell, i * cell, cell - gap, cell - gap);
    }
  pen.globalAlpha = 1;
  pen.strokeStyle = colour.ink;
  if (chosen >= 0) pen.strokeRect(left - 0.5, chosen * cell - 0.5, width + 0.5, cell + 0.5);
  pen.restore();
  pen.strokeStyle = colour.line;
  pen.strokeRect(margin - 0.5, margin - 0.5, width + 0.5, width + 0.5);
}

function drawLabels(pen, map, labels) {
  const { margin, cell, width, left, top, chosen, colour, font } = map;
  const size = Math.min(13, cell * 0.8);
  const write = (label, { x, y, turn, bold, align }) => {
    pen.save();
    pen.translate(x, y);
    pen.rotate(turn);
    pen.font = `${bold ? "bold " : ""}${size}px ${font}`;
    pen.fillStyle = bold ? colour.ink : colour.muted;
    pen.textBaseline = "middle";
    pen.textAlign = align;
    pen.fillText(label, 0, 0, margin - 6);
    pen.restore();
  };
  const within = (x) => x >= 0 && x <= width;
  for (const i of inSight(map, top)) {
    const y = (i + 0.5) * cell - top;
    if (within(y)) write(labels[i], { x: margin - 5, y: margin + y, turn: 0, bold: i === chosen, align: "right" });
  }
  for (const j of inSight(map, left)) {
    const x = (j + 0.5) * cell - left;
    if (within(x)) write(labels[j], { x: margin + x, y: margin - 5, turn: -Math.PI / 2, bold: false, align: "left" });
  }
}

// From 0 to the largest weight shown: without it, a faint picture could mean anything.
function drawScale(pen, { side, margin, width, largest, colour, font }) {
  const top = side - 12, bar = Math.min(120, width * 0.5);
  const left = margin + width - bar - 38;
  pen.fillStyle = colour.most;
  for (let x = 0; x < bar; x++) {
    pen.globalAlpha = x / bar;
    pen.fillRect(left + x, top, 1, 8);
  }
  pen.globalAlpha = 1;
  pen.strokeStyle = colour.line;
  pen.strokeRect(left - 0.5, top - 0.5, bar + 1, 9);
  pen.fillStyle = colour.muted;
  pen.font = `11px ${font}`;
  pen.textBaseline = "middle";
  pen.textAlign = "right";
  pen.fillText("0", left - 5, top + 4);
  pen.textAlign = "left";
  pen.fillText(share(largest), left + bar + 6, top + 4);
}

// The cell under a pointer.
export function cellAt({ n, margin, cell, width, left, top }, event) {
  const box = event.target.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left - margin, event.clientY - box.top - margin];
  if (x < 0 || y < 0 || x > width || y > width) return null;
  const [column, row] = [Math.floor((x + left) / cell), Math.floor((y + top) / cell)];
  return row < n && column < n ? { row, column } : null;
}

// Scroll a box, whose window is so many pixels high, until a row of it is in sight.
export function revealRow(box, row, height, window) {
  const top = row * height;
  if (top < box.scrollTop) box.scrollTop = top;
  else if (top + height > box.scrollTop + window) box.scrollTop = top + height - window;
}
