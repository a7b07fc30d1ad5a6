// From what a reader pastes or drops to a list of texts, and from numbers to a table to save.

import { count } from "./shared.mjs";

const DELIMITERS = [",", ";", "\t", "|"];
const LONGEST_NAME = 40; // characters of a column's name
// How files begin that hold no text, as the package has it in layerwise/texts/encodings.py.
const SIGNATURES = ["PK\x03\x04", "%PDF", "\xd0\xcf\x11\xe0", "{\\rtf", "\x1f\x8b"];
export const NO_TEXT = "is a Word file, or another that is not text: save it as plain text (.txt), or a table as CSV";
const LOOKED_AT = 4000; // bytes that show whether there are zeros, and of what kind
const FEWEST_ZEROS = 0.25; // of what could be UTF-8 as well; in UTF-16 it would be half
const SAMPLED = 1_000_000; // characters that are looked at to find the delimiter

// What is pasted: texts with empty lines between them or, if there are none, a text a line.
export function splitTexts(content) {
  const lines = content.replace(/\r\n?/g, "\n").trim();
  const between = /\n[^\S\n]*\n/.test(lines) ? /\n(?:[^\S\n]*\n)+/ : /\n/;
  return lines.split(between).map((text) => text.trim()).filter(Boolean);
}

// A file's characters: UTF-8, UTF-16 by its mark or its zero bytes, or else the letters of Windows;
// null where it is no text.
export function decode(bytes) {
  const start = String.fromCharCode(...bytes.subarray(0, 8));
  if (SIGNATURES.some((signature) => start.startsWith(signature))) return null;
  const head = bytes.subarray(0, LOOKED_AT);
  let utf16 = { "255,254": "utf-16le", "254,255": "utf-16be" }[bytes.subarray(0, 2)];
  if (!utf16 && head.includes(0) && !(utf16 = utf16ByZeros(head))) return null;
  return decodeIn(utf16 ?? "utf-8", bytes) ?? new TextDecoder("windows-1252").decode(bytes);
}

// Which UTF-16 bytes with zeros among them are in; null if they are in neither.
function utf16ByZeros(head) {
  const zeros = [0, 0];
  head.forEach((byte, i) => { if (byte === 0) zeros[i % 2] += 1; });
  const name = zeros[1] > zeros[0] ? "utf-16le" : "utf-16be";
  const text = decodeIn(name, head, { stream: true });
  if (text === null || text.includes("\0")) return null;
  const hasFewZeros = zeros[0] + zeros[1] < FEWEST_ZEROS * head.length;
  return hasFewZeros && decodeIn("utf-8", head, { stream: true }) !== null ? null : name;
}

// Bytes in an encoding, whose end may be cut off in a stream; null if they are not in it.
function decodeIn(name, bytes, options = {}) {
  try {
    return new TextDecoder(name, { fatal: true }).decode(bytes, options);
  } catch {
    return null;
  }
}

// A file's texts, with empty lines between them: { texts, column, notes }.
export function textsOfFile(name, content) {
  const extension = name.split(".").pop().toLowerCase();
  const lines = content.replace(/^(\ufeff|ï»¿)/, "").replace(/\r\n?/g, "\n");
  const told = /^sep=(.)\n/i.exec(lines); // a line by which a spreadsheet tells itself the delimiter
  if (told) return textsOfTable(readTable(lines.slice(told[0].length), told[1]));
  if (extension === "tsv") return textsOfTable(readTable(lines, "\t"));
  if (extension === "csv") return textsOfTable(readTable(lines, likeliest(lines).delimiter));
  return textsOfPasted(lines) ?? { texts: lines, column: null, notes: [] };
}

// The texts of a table that was pasted; null where it may be lines of text: those have no short
// names in a first row, or a space after the commas in it, or empty lines between them.
export function textsOfPasted(content) {
  const lines = content.replace(/\r\n?/g, "\n").trim();
  const { delimiter, share } = likeliest(lines);
  if (share < 0.9) return null;
  const rows = readTable(lines, delimiter);
  if (rows.length < 2 || isSentence(rows[0]) || !areNames(rows[0]) || rows.some(isEmpty)) return null;
  return textsOfTable(rows);
}

// Of a table, the column of the longest texts: { texts, column, notes }, where notes say what was
// left out.
function textsOfTable(rows) {
  const hasNames = areNames(rows[0]);
  const body = hasNames ? rows.slice(1) : rows;
  const width = usualWidth(rows);
  const lengths = Array.from({ length: width }, (_, i) =>
    body.reduce((sum, row) => sum + (row[i] ?? "").length, 0));
  const longest = lengths.indexOf(Math.max(...lengths));
  const texts = body.map((row) => (row[longest] ?? "").trim()).filter(Boolean);
  const n_empty = body.length - texts.length;
  const n_wider = body.filter((row) => row.length > width).length;
  const notes = [
    [!hasNames, "The first row names no columns, and was read as a text."],
    [n_empty, `Left out, without a text: ${count(n_empty, "row")}.`],
    [n_wider, `Left out, cells beyond the ${width} of most rows: in ${count(n_wider, "row")} ` +
      "(a delimiter inside a text needs quotation marks)."],
  ];
  return {
    texts: texts.map((text) => text.replace(/\n[^\S\n]*\n\s*/g, "\n")).join("\n\n"),
    column: hasNames && rows[0].length === width ? rows[0][longest] : null,
    notes: notes.filter(([holds]) => holds).map(([, note]) => note),
  };
}

// The delimiter that cuts the most rows into equally many cells, and the share of these rows; of
// two, that of the most cells. Where none does, a row is one cell.
function likeliest(content) {
  let best = { delimiter: null, share: 0, width: 1 };
  for (const delimiter of DELIMITERS) {
    const rows = readTable(content.slice(0, SAMPLED), delimiter).filter((row) => !isEmpty(row));
    const width = rows.length ? usualWidth(rows) : 1;
    const share = rows.filter((row) => row.length === width).length / rows.length;
    const isTable = width > 1 && (share > 0.5 ? rows[0].length === width
      : rows[0].length > 1 && areNames(rows[0]) && !isSentence(rows[0]));
    if (isTable && (share > best.share || (share === best.share && width > best.width)))
      best = { delimiter, share, width };
  }
  return best;
}

// How many cells most rows have.
function usualWidth(rows) {
  const n_rows = new Map();
  for (const { length } of rows) n_rows.set(length, (n_rows.get(length) ?? 0) + 1);
  return [...n_rows].sort((a, b) => b[1] - a[1])[0][0];
}

// Names of columns are short, have letters and end no sentence; one may be missing.
function areNames(row) {
  return !isEmpty(row) && row.every((cell) =>
    !cell || (cell.length <= LONGEST_NAME && /\p{L}/u.test(cell) && !/[.!?…]["”’]?\s*$/.test(cell)));
}

// A comma in a sentence has a space behind it, or the line's end; one between names has neither.
function isSentence(row) {
  return row.slice(1).some((cell) => /^( |$)/.test(cell));
}

function isEmpty(row) {
  return row.every((cell) => !cell.trim());
}

// Rows of cells; a cell in quotation marks may hold anything, a mark in it stands twice.
export function readTable(content, delimiter) {
  const rows = [[]];
  const end = delimiter === null ? /\n|$/g : new RegExp(`[\\n${delimiter.replace(/\W/, "\\$&")}]|$`, "g");
  for (let at = 0; at <= content.length;) {
    let cell = "";
    for (let n_opened = 0; content[at] === '"'; n_opened++) {
      const closing = content.indexOf('"', at + 1);
      const until = closing < 0 ? content.length : closing;
      cell += (n_opened ? '"' : "") + content.slice(at + 1, until);
      at = until + 1;
    }
    end.lastIndex = Math.min(at, content.length);
    const { index } = end.exec(content);
    rows.at(-1).push(cell + content.slice(at, index));
    if (content[index] === "\n") rows.push([]);
    at = index + 1;
  }
  while (rows.length > 1 && isEmpty(rows.at(-1))) rows.pop();
  while (rows.length > 1 && isEmpty(rows[0])) rows.shift();
  return rows;
}

// Rows of cells as CSV that spreadsheets read: UTF-8 with a byte order mark.
export function writeTable(rows) {
  const write = (cell) => (/[",\n\r]/.test(cell) ? `"${String(cell).replaceAll('"', '""')}"` : String(cell));
  return `\ufeff${rows.map((row) => row.map(write).join(",")).join("\n")}\n`;
}
