// Counted pairs of words, as the chapter "Teach it a task" counts them: a bigram against a unigram,
// both Kneser-Ney, as in src/layerwise/by_hand/ngrams.py.

import { LINE_END, contextAt, countKinds, countNgrams } from "./ngrams.mjs";

const UNKNOWN = "<unk>";
const tokensOf = (line) => [...line.split(" "), LINE_END];

// Count some lines, their words with spaces between them. Returns a function of a line: how many
// bits the pairs save on it.
export function countPairs(lines) {
  const often = new Map();
  for (const token of lines.flatMap(tokensOf)) often.set(token, (often.get(token) ?? 0) + 1);
  const known = new Set([...often.keys()].filter((token) => often.get(token) >= 2));
  const hide = (tokens) => tokens.map((token) => (known.has(token) ? token : UNKNOWN));
  const seen = lines.map((line) => hide(tokensOf(line)));
  const pairs = countNgrams(seen, 2);
  const one = kneserNey([countNgrams(seen, 1)], known.size + 1);
  const two = kneserNey([countKinds(pairs), pairs], known.size + 1);
  return (line) => {
    const tokens = hide(tokensOf(line));
    return tokens.reduce((bits, token, i) =>
      bits + Math.log2(two(token, contextAt(tokens, i, 2)) / one(token, [])), 0);
  };
}

// The probability of a token after a context, of tables of contexts of 0, 1, … tokens.
function kneserNey(tables, n_tokens) {
  const discounts = tables.map(estimateDiscounts);
  return function probability(token, context) {
    const shorter = context.length ? probability(token, context.slice(1)) : 1 / n_tokens;
    const after = tables[context.length].get(context.join("\0"));
    if (!after) return shorter;
    const left = (n) => (n ? Math.max(0, n - discounts[context.length][Math.min(n, 3) - 1]) : 0);
    let taken = 0, total = 0;
    for (const n of after.values()) {
      taken += n - left(n);
      total += n;
    }
    return (left(after.get(token) ?? 0) + taken * shorter) / total;
  };
}

// What to take from tokens that came once, twice, and more often in a context.
function estimateDiscounts(counts) {
  const times = [0, 0, 0, 0, 0];
  for (const after of counts.values()) for (const n of after.values()) if (n <= 4) times[n] += 1;
  if (!times.slice(1).every(Boolean)) return [0.5, 1, 1.5];
  const once = times[1] / (times[1] + 2 * times[2]);
  return [1, 2, 3].map((n) => {
    const discount = n - ((n + 1) * once * times[n + 1]) / times[n];
    return discount > 0 ? discount : n / 2;
  });
}
