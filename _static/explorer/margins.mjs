// The margins of a method, on true lines and on shuffled ones, and what it calls right by them.

import { fromThousandths } from "./assets.mjs";

export function marginsOf(method) {
  return { true: fromThousandths(method.true), shuffled: fromThousandths(method.shuffled) };
}

// Of the two orders of line i, each judged alone: 0, a half or 1.
export const rightAlone = (margins, i) => ((margins.true[i] > 0) + (margins.shuffled[i] <= 0)) / 2;

// Line i, chosen of its two orders; a tie as a half.
export const rightAsPair = ({ true: real, shuffled }, i) => (real[i] === shuffled[i] ? 0.5 : Number(real[i] > shuffled[i]));
