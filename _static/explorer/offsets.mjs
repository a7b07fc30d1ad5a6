// Where each piece of a text stands in it, as tokenizers' offset mapping has it: the pieces are
// spelled without case and accents, so the text is read again, one character at a time.

import { clean, withoutCaseAndAccents } from "./wordpiece.mjs";

// tokens: [CLS], the pieces of words (a list of { word, pieces }, perhaps more than there is room
// for), [SEP]. Returns their places, [start, end, start, end, …]; [CLS] and [SEP] have 0, 0.
export function offsetsOf(text, words, n_tokens) {
  const places = spelled(text);
  const offsets = [0, 0];
  let next = 0; // the place of the next character of a word
  for (const { word, pieces } of words) {
    const end = next + [...word].length;
    for (const piece of pieces) {
      const n = pieces.length === 1 ? end - next : [...piece].length - (piece.startsWith("##") ? 2 : 0);
      offsets.push(places[next][0], places[next + n - 1][1]);
      next += n;
    }
    next = end;
  }
  return [...offsets.slice(0, 2 * (n_tokens - 1)), 0, 0];
}

// For each character of the words: from where to where in the text it is written.
function spelled(text) {
  const places = [];
  let start = 0;
  for (const character of text.toWellFormed()) {
    const end = start + character.length;
    for (const letter of withoutCaseAndAccents(clean(character)))
      if (letter.trim()) places.push([start, end]);
    start = end;
  }
  return places;
}
