// From text to input IDs, as transformers' BertTokenizer does for an uncased BERT:
// clean the text, lower its case, split it into words, cut each word into pieces.
// Limits: some 650 characters younger than Unicode 8 (2015), in scripts this vocabulary does not
// know, are read as the browser's newer tables have them; half a surrogate pair is dropped.
// Chapter: "Large Language Models: An Introduction", "Subword tokenization".

const MAX_WORD_CHARACTERS = 100; // a longer word becomes [UNK], unread
const SPECIAL_TOKENS = /(\[(?:PAD|UNK|CLS|SEP|MASK)\])/; // typed in a text, they count as tokens

const CONTROL = /[\p{Cc}\p{Cf}\p{Co}\u{FFFD}]/u; // format characters and private use as well
const SPACE = /\p{White_Space}/u;
const ACCENT = /\p{Mn}/u;
const PUNCTUATION = /[!-/:-@[-`{-~\p{P}]/u; // $ + < = > ^ ` | ~ count, other symbols do not
const CJK =
  /[\u4E00-\u9FFF\u3400-\u4DBF\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B920}-\u{2CEAF}\uF900-\uFAFF\u{2F800}-\u{2FA1F}]/u;

// Drop control characters, make every white space a blank, put blanks around CJK characters.
export function clean(text) {
  let cleaned = "";
  for (const character of text) {
    if (CONTROL.test(character) && !"\t\n\r".includes(character)) continue;
    else if (SPACE.test(character)) cleaned += " ";
    else if (CJK.test(character)) cleaned += ` ${character} `;
    else cleaned += character;
  }
  return cleaned;
}

// Take letters and their accents apart, drop the accents, lower the case.
export function withoutCaseAndAccents(text) {
  let plain = "";
  for (const character of text.normalize("NFD")) {
    // One character at a time: in a whole word, a final Σ would become ς.
    if (!ACCENT.test(character)) plain += character.toLowerCase();
  }
  return plain;
}

// Split at blanks, which are dropped, and around punctuation, which is kept.
function splitWords(text) {
  const words = [];
  let word = "";
  const finish = () => {
    if (word) words.push(word);
    word = "";
  };
  for (const character of text) {
    if (SPACE.test(character)) finish();
    else if (PUNCTUATION.test(character)) {
      finish();
      words.push(character);
    } else word += character;
  }
  finish();
  return words;
}

export class WordPiece {
  // vocabulary: one piece a line; the piece on line n (from 0) has id n.
  constructor(vocabulary) {
    this.pieces = vocabulary.replace(/\n$/, "").split("\n");
    this.ids = new Map(this.pieces.map((piece, id) => [piece, id]));
  }

  // Cut a word into the longest pieces there are, from left to right.
  cut(word) {
    const characters = [...word];
    if (characters.length > MAX_WORD_CHARACTERS) return ["[UNK]"];
    const pieces = [];
    let start = 0;
    while (start < characters.length) {
      let end = characters.length;
      let piece;
      for (; end > start; end--) {
        piece = (start > 0 ? "##" : "") + characters.slice(start, end).join("");
        if (this.ids.has(piece)) break;
      }
      if (end === start) return ["[UNK]"]; // nothing fits here: the whole word is unknown
      pieces.push(piece);
      start = end;
    }
    return pieces;
  }

  // Returns a list of { word, pieces }: the words of a text and what each is cut into.
  words(text) {
    const words = [];
    for (const part of text.toWellFormed().split(SPECIAL_TOKENS)) {
      if (SPECIAL_TOKENS.test(part)) words.push({ word: part, pieces: [part] });
      else
        for (const word of splitWords(withoutCaseAndAccents(clean(part))))
          words.push({ word, pieces: this.cut(word) });
    }
    return words;
  }

  // Returns the pieces of a text, without [CLS] and [SEP].
  tokenize(text) {
    return this.words(text).flatMap((word) => word.pieces);
  }

  // tokenizer.decode(ids, skip_special_tokens=True): what is left of a text.
  decode(input_ids) {
    const pieces = input_ids.map((id) => this.pieces[id]);
    const words = pieces.filter((piece) => !SPECIAL_TOKENS.test(piece));
    return words.join(" ").replaceAll(" ##", "").replace(/ (?=[.?!,](?: |$))/g, "");
  }

  // tokenizer(text, pair, padding=..., truncation=..., max_length=...)
  // Returns { tokens, input_ids, token_type_ids, attention_mask, n_dropped }, lists of one length.
  encode(text, pair = null, { padding = false, truncation = false, max_length = 512 } = {}) {
    let first = this.tokenize(text);
    let second = pair === null ? [] : this.tokenize(pair);
    const n_special = pair === null ? 2 : 3;
    const n_before = first.length + second.length;
    if (truncation) {
      const [n_first, n_second] = longestFirst(first.length, second.length, max_length - n_special);
      first = first.slice(0, n_first);
      second = second.slice(0, n_second);
    }
    const tokens = ["[CLS]", ...first, "[SEP]"];
    const token_type_ids = tokens.map(() => 0);
    if (pair !== null) {
      tokens.push(...second, "[SEP]");
      while (token_type_ids.length < tokens.length) token_type_ids.push(1);
    }
    const attention_mask = tokens.map(() => 1);
    while (padding && tokens.length < max_length) {
      tokens.push("[PAD]");
      token_type_ids.push(0);
      attention_mask.push(0);
    }
    const input_ids = tokens.map((token) => this.ids.get(token));
    const n_dropped = n_before - first.length - second.length;
    return { tokens, input_ids, token_type_ids, attention_mask, n_dropped };
  }
}

// How many pieces of each text remain when both together may have n: the longer one gives way.
function longestFirst(n_first, n_second, n) {
  if (n_first + n_second <= n) return [n_first, n_second];
  const shorter = Math.min(n_first, n_second);
  let kept_shorter = shorter;
  let kept_longer = n - shorter;
  if (kept_longer < shorter) {
    kept_shorter = Math.floor(n / 2);
    kept_longer = n - kept_shorter;
  }
  return n_first <= n_second ? [kept_shorter, kept_longer] : [kept_longer, kept_shorter];
}
