// Language models of counts, as in src/layerwise/by_hand/ngrams.py: a test holds the two together.

export const LINE_END = "\n";
const BETWEEN = "\0"; // the tokens of a context, which is the key of a Map

// ------------------------------------------------------------------ tokens

// Words in lower case, and a line end after every line that has any.
export function splitWords(text) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: Python's splitlines breaks lines there
  const lines = text.toLowerCase().replaceAll("’", "'").split(/\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/u);
  return lines.flatMap((line) => {
    const words = line.match(/[\p{L}\p{N}_]+(?:'[\p{L}\p{N}_]+)*/gu);
    return words ? [...words, LINE_END] : [];
  });
}

export function splitCharacters(text) {
  return [...splitWords(text).join(" ").replace(/ ?\n ?/gu, LINE_END)];
}

// ------------------------------------------------------------------ counts

// The n - 1 tokens before place i; what comes before the first are line ends.
export function contextAt(tokens, i, n) {
  return Array.from({ length: n - 1 }, (_, k) => tokens[i - n + 1 + k] ?? LINE_END);
}

// A Map from each context to a Map from each token that came after it to how often.
export function countNgrams(texts, n) {
  const counts = new Map();
  for (const tokens of texts)
    tokens.forEach((token, i) => add(counts, contextAt(tokens, i, n).join(BETWEEN), token));
  return counts;
}

// After how many longer contexts a token came, in place of how often.
export function countKinds(counts) {
  const kinds = new Map();
  for (const [context, after] of counts) {
    const shorter = context.split(BETWEEN).slice(1).join(BETWEEN);
    for (const token of after.keys()) add(kinds, shorter, token);
  }
  return kinds;
}

function add(counts, context, token) {
  if (!counts.has(context)) counts.set(context, new Map());
  const after = counts.get(context);
  after.set(token, (after.get(token) ?? 0) + 1);
}

// ------------------------------------------------------------------ models

// smoothing: "interpolation", where every context leaves `amount` of its share to the shorter one,
// or "Kneser-Ney", where `amount` is taken from every count. Table k is of contexts of k tokens.
export function makeModel(texts, n, smoothing, amount) {
  const vocabulary = [...new Set(texts.flat())];
  const tables = [];
  for (let k = n; k > 0; k--)
    tables.unshift(smoothing === "Kneser-Ney" && k < n ? countKinds(tables[0]) : countNgrams(texts, k));
  const place = new Map(vocabulary.map((token, i) => [token, i]));
  return { n, smoothing, amount, vocabulary, place, tables };
}

// The probability of each token of the vocabulary after a context, an array of n - 1 tokens.
export function probabilities({ n, smoothing, amount, vocabulary, place, tables }, context) {
  const shares = new Float64Array(vocabulary.length).fill(1 / vocabulary.length);
  for (let k = 0; k < n; k++) {
    const after = tables[k].get(context.slice(n - 1 - k).join(BETWEEN));
    if (!after) continue; // never seen: what the shorter context says
    const counted = [...after.values()];
    const total = sum(counted);
    const left = (count) => (smoothing === "Kneser-Ney" ? Math.max(0, count - amount) : (1 - amount) * count);
    const taken = total - sum(counted.map(left));
    for (let i = 0; i < shares.length; i++) shares[i] *= taken / total;
    for (const [token, count] of after) shares[place.get(token)] += left(count) / total;
  }
  return shares;
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

// ------------------------------------------------------------------ writing

// Probabilities as they are drawn from: their logarithms divided by the temperature.
export function heat(shares, temperature) {
  const largest = Math.max(...shares);
  const heated = Array.from(shares, (share) => (share / largest) ** (1 / temperature));
  const total = sum(heated);
  return heated.map((share) => share / total);
}

// Write so many tokens after those of a text, each drawn from its probabilities.
export function write(model, tokens, n_tokens, temperature, random) {
  const text = [...tokens];
  for (let i = 0; i < n_tokens; i++) {
    const shares = heat(probabilities(model, contextAt(text, text.length, model.n)), temperature);
    let left = random();
    const drawn = shares.findIndex((share) => (left -= share) < 0);
    text.push(model.vocabulary[drawn < 0 ? shares.indexOf(Math.max(...shares)) : drawn]);
  }
  return text.slice(tokens.length);
}

// Which tokens are part of a run of so many that stands in one of the texts.
export function findCopied(written, texts, length) {
  const starts = (tokens) => Array.from({ length: Math.max(0, tokens.length - length + 1) }, (_, i) => i);
  const runAt = (tokens, i) => tokens.slice(i, i + length).join(BETWEEN);
  const runs = new Set(texts.flatMap((tokens) => starts(tokens).map((i) => runAt(tokens, i))));
  const copied = new Array(written.length).fill(false);
  for (const i of starts(written)) if (runs.has(runAt(written, i))) copied.fill(true, i, i + length);
  return copied;
}

// Numbers from 0 to 1 that are the same for the same seed (mulberry32).
export function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
