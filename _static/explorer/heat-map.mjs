// A square of cells on a canvas, darker where the weight is larger, with its labels and scale.

const MOST_LABEL_SPACE = 0.24; // of the side, for the labels of rows and of columns
const SMALLEST_LABELLED = 9; // pixels; narrower rows have no labels

// labels (n), weights (n rows of n), chosen: the row to mark.
// Returns what cellAt needs to find the cell under a pointer.
export function drawHeatMap(canvas, labels, weights, chosen) {
  const side = canvas.clientWidth;
  if (!side || !labels.length) return null;
  const sharpness = window.devicePixelRatio || 1;
  canvas.width = canvas.height = Math.round(side * sharpness);
  const pen = canvas.getContext("2d");
  pen.scale(sharpness, sharpness);
  const colour = colours(canvas);
  const n = labels.length;
  const fitsLabels = (side * (1 - MOST_LABEL_SPACE)) / n >= SMALLEST_LABELLED;
  pen.font = `bold 13px ${fontOf(canvas)}`;
  const longest = Math.max(...labels.map((label) => pen.measureText(label).width)) + 10;
  const margin = fitsLabels ? Math.min(longest, side * MOST_LABEL_SPACE) : 2;
  const legend = 22;
  const cell = (side - margin - legend) / n;
  const largest = Math.max(...weights.map((row) => Math.max(...row)), 1e-9);
  pen.clearRect(0, 0, side, side);
  pen.fillStyle = colour.accent;
  const gap = cell > 8 ? 1 : 0;
  weights.forEach((row, i) => row.forEach((weight, j) => {
    pen.globalAlpha = weight / largest;
    pen.fillRect(margin + j * cell, margin + i * cell, cell - gap, cell - gap);
  }));
  pen.globalAlpha = 1;
  pen.strokeStyle = colour.line;
  pen.strokeRect(margin - 0.5, margin - 0.5, n * cell + 0.5, n * cell + 0.5);
  if (chosen >= 0) {
    pen.strokeStyle = colour.ink;
    pen.strokeRect(margin - 0.5, margin + chosen * cell - 0.5, n * cell + 0.5, cell + 0.5);
  }
  if (fitsLabels) drawLabels(pen, labels, { margin, cell, chosen, colour, font: fontOf(canvas) });
  drawScale(pen, { side, margin, width: n * cell, largest, colour, font: fontOf(canvas) });
  return { n, margin, cell };
}

function colours(canvas) {
  const style = getComputedStyle(canvas);
  const [ink, muted, line, accent] = ["ink", "muted", "line", "accent"].map((name) =>
    style.getPropertyValue(`--ex-${name}`).trim());
  return { ink, muted, line, accent };
}

function fontOf(canvas) {
  return getComputedStyle(canvas).fontFamily || "sans-serif";
}

function drawLabels(pen, labels, { margin, cell, chosen, colour, font }) {
  const size = Math.max(8, Math.min(13, cell * 0.72));
  pen.textBaseline = "middle";
  labels.forEach((label, i) => {
    pen.font = `${i === chosen ? "bold " : ""}${size}px ${font}`;
    pen.fillStyle = i === chosen ? colour.ink : colour.muted;
    pen.textAlign = "right";
    pen.fillText(label, margin - 5, margin + (i + 0.5) * cell, margin - 6);
    pen.save();
    pen.translate(margin + (i + 0.5) * cell, margin - 5);
    pen.rotate(-Math.PI / 2);
    pen.textAlign = "left";
    pen.font = `${size}px ${font}`;
    pen.fillStyle = colour.muted;
    pen.fillText(label, 0, 0, margin - 6);
    pen.restore();
  });
}

// From 0 to the largest weight shown: without it, a faint picture could mean anything.
function drawScale(pen, { side, margin, width, largest, colour, font }) {
  const top = side - 12, bar = Math.min(120, width * 0.5);
  const left = margin + width - bar - 34;
  for (let x = 0; x < bar; x++) {
    pen.globalAlpha = x / bar;
    pen.fillStyle = colour.accent;
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
  pen.fillText(largest.toFixed(2).replace(/^0/, ""), left + bar + 6, top + 4);
}

export function cellAt({ n, margin, cell }, event) {
  const box = event.target.getBoundingClientRect();
  const column = Math.floor((event.clientX - box.left - margin) / cell);
  const row = Math.floor((event.clientY - box.top - margin) / cell);
  return row >= 0 && row < n && column >= 0 && column < n ? { row, column } : null;
}
