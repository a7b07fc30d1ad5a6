// From what a reader pastes or drops to a list of texts, and from numbers to a table to save.

// What is pasted: texts with empty lines between them or, if there are none, a text a line.
export function splitTexts(content) {
  const lines = content.replace(/\r\n?/g, "\n").trim();
  const between = /\n[^\S\n]*\n/.test(lines) ? /\n(?:[^\S\n]*\n)+/ : /\n/;
  return lines.split(between).map((text) => text.trim()).filter(Boolean);
}

// A file's texts, with empty lines between them: of a table, the column of the longest.
export function textsOfFile(name, content) {
  const delimiter = { csv: null, tsv: "\t" }[name.split(".").pop().toLowerCase()];
  if (delimiter === undefined) return content.replace(/^\ufeff/, "");
  const lines = content.replace(/^\ufeff/, "").replace(/^sep=(.)\r?\n/, "");
  const rows = readTable(lines, delimiter ?? likeliest(lines));
  const n_columns = Math.max(...rows.map((row) => row.length));
  const lengths = Array.from({ length: n_columns }, (_, i) =>
    rows.slice(1).reduce((sum, row) => sum + (row[i] ?? "").length, 0));
  const longest = lengths.indexOf(Math.max(...lengths));
  const texts = rows.slice(1).map((row) => (row[longest] ?? "").trim()).filter(Boolean);
  return texts.map((text) => text.replace(/\n[^\S\n]*\n\s*/g, "\n")).join("\n\n");
}

// The delimiter that occurs most in the line of the columns' names.
function likeliest(content) {
  const header = content.split("\n", 1)[0];
  const times = (mark) => header.split(mark).length;
  return [",", ";", "\t"].sort((a, b) => times(b) - times(a))[0];
}

// Rows of cells; a cell in quotation marks may hold anything, a mark in it stands twice.
export function readTable(content, delimiter) {
  const rows = [[]];
  let cell = "", quoted = false;
  const endCell = () => {
    rows.at(-1).push(cell);
    cell = "";
  };
  for (let i = 0; i < content.length; i++) {
    const character = content[i];
    if (quoted) {
      if (character !== '"') cell += character;
      else if (content[i + 1] === '"') cell += content[++i];
      else quoted = false;
    } else if (character === '"' && !cell) quoted = true;
    else if (character === delimiter) endCell();
    else if (character === "\n") {
      endCell();
      rows.push([]);
    } else if (character !== "\r") cell += character;
  }
  endCell();
  return rows.filter((row) => row.some(Boolean));
}

// Rows of cells as CSV that spreadsheets read: UTF-8 with a byte order mark.
export function writeTable(rows) {
  const write = (cell) => (/[",\n\r]/.test(cell) ? `"${String(cell).replaceAll('"', '""')}"` : String(cell));
  return `\ufeff${rows.map((row) => row.map(write).join(",")).join("\n")}\n`;
}
