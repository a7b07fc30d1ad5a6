// The search page: looks through every place of the book (places.js) in this page, with no server.
// A classic script, so that it also works from files.
"use strict";

const MOST_RESULTS = 40;
const WORD = /[\p{L}\p{N}_]+(?:['’][\p{L}\p{N}]+)*/gu;

/** Return what a word has in common with its other forms and its other spelling. */
function canonical(word) {
  let form = word.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "").replace(/['’]s?/g, "");
  if (form.length < 5) return form.replace(/(?<=..[^su])s$/, "");
  form = form
    .replace(/is(e|ed|er|ers|es|ing|able|ation|ations)$/, "iz$1") // tokeniser, tokenizer
    .replace(/ys(e|ed|er|ers|es|ing)$/, "yz$1")
    .replace(/our/, "or") // colour, color
    .replace(/([bt])re(s|d)?$/, "$1er$2") // centre, center
    .replace(/([bt])ring$/, "$1ering")
    .replace(/ll(ed|ing|er)$/, "l$1") // labelled, labeled
    .replace(/ogue(s?)$/, "og$1")
    .replace(/ies$/, "y")
    .replace(/(?<=[^su])s$/, "");
  form = form.replace(/(?<=...)(?:ing|ed|e)$/, "");
  return form.replace(/([bdgkmnprt])\1$/, "$1"); // padding, pad
}

/** Take a text apart into words, each with its other forms' common one, and where it stands. */
function wordsOf(text) {
  return Array.from(text.matchAll(WORD), ({ 0: word, index }) => ({ word, index, form: canonical(word) }));
}

const isLike = (form, asked) => form === asked || (asked.length > 2 && form.startsWith(asked));

/** Make one list of all places, with their words. */
function readPlaces(pages) {
  return pages.flatMap(({ title, places }) =>
    places.map((place) => ({
      ...place,
      page: title,
      fields: [
        { words: wordsOf(place.title), weight: place.verse ? 0 : 6 },
        { words: wordsOf(place.text), weight: 1 },
        { words: wordsOf((place.code ?? "").replaceAll("_", " ") + " " + (place.code ?? "")), weight: 0.4 },
      ],
    })),
  );
}

/** Say how well a place answers: 0 if one of the words asked for is not in it. */
function rate(place, asked, rarity) {
  let score = 0;
  for (const form of asked) {
    let best = 0;
    for (const { words, weight } of place.fields) {
      const exact = words.filter((word) => word.form === form).length;
      const begun = words.filter((word) => isLike(word.form, form)).length;
      if (begun) best += weight * (exact ? 1 + Math.log(exact) : 0.5);
    }
    if (!best) return 0;
    score += best * rarity.get(form);
  }
  if (!isPhrase(place, asked)) return score;
  return (place.verse ? 4 : 2) * score + 4; // a line of verse that is quoted is what is meant
}

/** Say whether the words stand in the place's text one after the other. */
function isPhrase({ fields }, asked) {
  if (asked.length < 2) return false;
  return fields.some(({ words, weight }) =>
    weight && words.some((_, start) => asked.every((form, i) => isLike(words[start + i]?.form ?? "", form))));
}

/** Find the places that have all the words; failing that, those that have most of them. */
function find(places, asked) {
  const has = (place, form) => place.fields.some(({ words }) => words.some((word) => isLike(word.form, form)));
  const rarity = new Map(asked.map((form) => {
    const n = places.filter((place) => has(place, form)).length;
    return [form, Math.log(1 + places.length / (n || 1))];
  }));
  const rated = (forms) => places
    .map((place) => ({ place, score: rate(place, forms, rarity) }))
    .filter(({ score }) => score)
    .sort((a, b) => b.score - a.score);
  const all = rated(asked);
  if (all.length || asked.length < 2) return { found: all, missing: [] };
  const known = asked.filter((form) => places.some((place) => has(place, form)));
  if (!known.length) return { found: [], missing: asked };
  if (known.length < asked.length) {
    return { found: rated(known), missing: asked.filter((form) => !known.includes(form)) };
  }
  // each is somewhere, no place has all: places for the rarest of them
  const rarest = known.reduce((a, b) => (rarity.get(b) > rarity.get(a) ? b : a));
  return { found: rated([rarest]), missing: known.filter((form) => form !== rarest) };
}

/** Return the word of the book that is nearest to one that is not in it, or null. */
function nearest(places, form) {
  let best = { distance: form.length > 5 ? 3 : 2, word: null };
  for (const { fields } of places) {
    for (const { word, form: other } of fields.flatMap(({ words }) => words)) {
      if (Math.abs(other.length - form.length) >= best.distance) continue;
      const distance = editDistance(form, other);
      if (distance < best.distance) best = { distance, word: word.toLowerCase() };
    }
  }
  return best.word;
}

function editDistance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}

// ------------------------------------------------------------------ showing

function node(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Return a piece of a text around the first word found in it, the words marked. */
function excerpt(text, asked) {
  const found = wordsOf(text).filter(({ form }) => asked.some((one) => isLike(form, one)));
  if (!found.length) return [text.slice(0, 160) + (text.length > 160 ? "…" : "")];
  const start = found[0].index < 80 ? 0 : text.lastIndexOf(" ", found[0].index - 60) + 1;
  const end = text.length - start < 220 ? text.length : text.lastIndexOf(" ", start + 220);
  const parts = [start ? "… " : ""];
  let at = start;
  for (const { word, index } of found) {
    if (index + word.length > end) break;
    parts.push(text.slice(at, index), node("mark", {}, word));
    at = index + word.length;
  }
  return [...parts, text.slice(at, end), end < text.length ? " …" : ""];
}

/** Show one place: a link that arrives there with its words marked, and some of its text. */
function result({ at, page, title, text, code, verse, fields }, asked) {
  const like = ({ form }) => asked.some((one) => isLike(form, one));
  const marks = [...new Set(fields.flatMap(({ words }) => words.filter(like)).map(({ word }) => word))];
  const [path, anchor] = at.split("#");
  const address = `${path}?mark=${encodeURIComponent(marks.slice(0, 8).join(" "))}${anchor ? `#${anchor}` : ""}`;
  const inCode = code && !wordsOf(text).some(like) && wordsOf(code.replaceAll("_", " ")).some(like);
  return node("li", {},
    node("a", { href: address }, verse ? `${title}, line ${verse}` : title),
    node("span", { className: "search-page" }, page === title ? "" : page),
    node("p", { className: verse ? "context verse" : "context" }, ...(inCode ? [node("code", {}, ...excerpt(code, asked))] : excerpt(text, asked))));
}

function list(words) {
  return words.map((word) => `“${word}”`).join(", ");
}

function showResults(query) {
  const places = readPlaces(bookPages);
  const shown = document.getElementById("search-results");
  const status = document.getElementById("search-progress");
  shown.replaceChildren();
  const typed = query.match(WORD) ?? [];
  if (!typed.length) {
    status.textContent = query.trim() ? "Type a word: only letters and numbers can be looked for." : "";
    return;
  }
  const asked = [...new Set(typed.map(canonical))];
  const spelled = (form) => typed.find((word) => canonical(word) === form);
  const { found, missing } = find(places, asked);
  const used = asked.filter((form) => !missing.includes(form));
  if (!found.length) {
    status.replaceChildren(`No place in the book has ${list(typed)}. `, ...suggestion(places, typed, asked), "Search finds words and their beginnings, in British and American spelling, in prose, code and poems.");
    return;
  }
  const n = `${found.length} place${found.length === 1 ? "" : "s"}`;
  status.replaceChildren(
    missing.length ? `No place has all of these words. Without ${list(missing.map(spelled))}: ${n}. ` : `${n}. `,
    found.length > MOST_RESULTS ? `The ${MOST_RESULTS} that answer best:` : "");
  shown.append(node("ul", { className: "search" },
    ...found.slice(0, MOST_RESULTS).map(({ place }) => result(place, used))));
}

/** Offer the words that may have been meant. */
function suggestion(places, typed, asked) {
  const meant = typed.map((word, i) => nearest(places, asked[i] ?? canonical(word)));
  if (meant.every((word) => !word)) return [];
  const words = typed.map((word, i) => meant[i] ?? word).join(" ");
  return ["Did you mean ", node("a", { href: `?q=${encodeURIComponent(words)}` }, words), "? "];
}

const asked = new URLSearchParams(location.search).get("q") ?? "";
document.getElementById("search-field").value = asked;
showResults(asked);
