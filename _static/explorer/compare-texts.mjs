// How far texts move from layer to layer, and what that is to be read against: in the page the
// same as layerwise.similarity.drift_table, and the shift of layerwise.rotation, in Python.
//
// layers: n_layers + 1 arrays (n_texts, n_dims), row after row.

// Returns { "same poem": (n_layers, n_texts), … }, by the names that Python uses, and
// pairs (n_layers + 1, n_texts, n_texts): the cosine of two texts in one layer.
export function compareTexts(layers, n_texts) {
  const plain = layers.map((layer) => directions(layer, n_texts));
  const centred = layers.map((layer) => directions(lessMean(layer, n_texts), n_texts));
  const shifted = shiftedCosines(layers, n_texts);
  const later = (cosinesOf) => Float32Array.from(layers.slice(1).flatMap((_, i) => cosinesOf(i + 1)));
  const pairs = Float32Array.from(plain.flatMap((unit) => unit.flatMap((a) => unit.map((b) => dot(a, b)))));
  return {
    comparisons: {
      "same poem": later((layer) => withItself(plain[layer], plain[0])),
      "other poem": later((layer) => withOthers(plain[layer], plain[0])),
      "same poem, centred": later((layer) => withItself(centred[layer], centred[0])),
      "other poem, centred": later((layer) => withOthers(centred[layer], centred[0])),
      "random pair": later((layer) => withOthers(plain[layer], plain[layer])),
      "same poem, shifted": later((layer) => shifted[layer - 1].same),
      "other poem, shifted": later((layer) => shifted[layer - 1].other),
    },
    pairs,
  };
}

// 1 − cosine of each token with itself one layer earlier: (n_layers, n_tokens).
// hidden_states: n_layers + 1 arrays (n_tokens, n_dims)
export function tokenMovement(hidden_states, n_tokens) {
  const units = hidden_states.map((layer) => directions(layer, n_tokens));
  return Float32Array.from(units.slice(1).flatMap((unit, i) => withItself(unit, units[i]).map((cosine) => 1 - cosine)));
}

// One vector is added to all texts of layer 0: the mean of the layer less that of layer 0, found
// on every second text and tested on the texts between, and the other way round.
function shiftedCosines(layers, n_texts) {
  const all = Array.from({ length: n_texts }, (_, i) => i);
  const halves = [0, 1].map((odd) => all.filter((i) => i % 2 === odd));
  const rows = layers.map((layer) => rowsOf(layer, n_texts));
  return layers.slice(1).map((_, i) => {
    const [same, other] = [new Array(n_texts), new Array(n_texts)];
    for (const [fitted, tested] of [halves, [...halves].reverse()]) {
      const before = mean(fitted.map((text) => rows[0][text]));
      const after = mean(fitted.map((text) => rows[i + 1][text]));
      const then = tested.map((text) => unit(rows[0][text].map((x, d) => x - before[d] + after[d])));
      const now = tested.map((text) => unit(rows[i + 1][text]));
      const [ofItself, ofOthers] = [withItself(now, then), withOthers(now, then)];
      tested.forEach((text, j) => {
        same[text] = ofItself[j];
        other[text] = ofOthers[j];
      });
    }
    return { same, other };
  });
}

function withItself(a, b) {
  return a.map((vector, i) => dot(vector, b[i]));
}

// The mean cosine of each text in a with every other text in b.
function withOthers(a, b) {
  const sum = mean(b).map((x) => x * b.length); // the sum of all cosines is one product with it
  return a.map((vector, i) => (dot(vector, sum) - dot(vector, b[i])) / (b.length - 1));
}

function directions(layer, n_rows) {
  return rowsOf(layer, n_rows).map(unit);
}

function lessMean(layer, n_rows) {
  const rows = rowsOf(layer, n_rows);
  const shared = mean(rows);
  return Float64Array.from(rows.flatMap((row) => Array.from(row, (x, d) => x - shared[d])));
}

function rowsOf(layer, n_rows) {
  const n_dims = layer.length / n_rows;
  return Array.from({ length: n_rows }, (_, i) => Float64Array.from(layer.subarray(i * n_dims, (i + 1) * n_dims)));
}

function mean(rows) {
  const sum = new Float64Array(rows[0].length);
  for (const row of rows) for (let d = 0; d < sum.length; d++) sum[d] += row[d];
  return sum.map((x) => x / rows.length);
}

function unit(vector) {
  const length = Math.sqrt(dot(vector, vector));
  return vector.map((x) => x / length);
}

function dot(a, b) {
  let sum = 0;
  for (let d = 0; d < a.length; d++) sum += a[d] * b[d];
  return sum;
}
