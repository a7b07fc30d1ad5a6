// The table of texts: filter by what is typed, follow a neighbour to its own row.
(() => {
  const SHOWN = 30;
  const data = JSON.parse(document.getElementById("texts-data").textContent);
  const body = document.querySelector("#texts-table tbody");
  const input = document.getElementById("texts-search");
  const count = document.getElementById("texts-count");
  const byRow = new Map(data.texts.map((text) => [text.row, text]));
  const cell = (row, content, name = "") => {
    const td = row.insertCell();
    td.className = name;
    td.append(...[content].flat());
    return td;
  };
  const link = (text) => {
    const a = document.createElement("a");
    a.href = "#texts";
    a.textContent = text.title;
    a.addEventListener("click", () => { input.value = `row:${text.row}`; draw(); });
    return a;
  };
  // the words searched for, marked where they stand
  const marked = (content, words) => {
    if (!words.length) return [content];
    const escaped = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    return content.split(new RegExp(`(${escaped.join("|")})`, "giu")).map((piece, i) => {
      if (i % 2 === 0) return piece;
      const mark = document.createElement("mark");
      mark.textContent = piece;
      return mark;
    });
  };
  function draw() {
    const asked = input.value.trim();
    const one = /^row:(\d+)$/.exec(asked);
    const words = one ? [] : asked.toLowerCase().split(/\s+/).filter(Boolean);
    const found = data.texts.filter((text) => {
      if (one) return text.row === Number(one[1]);
      const all = `${text.title}\n${text.label}\n${text.text}`.toLowerCase();
      return words.every((word) => all.includes(word));
    });
    body.replaceChildren();
    for (const text of found.slice(0, SHOWN)) {
      const row = body.insertRow();
      cell(row, String(text.source), "n");
      cell(row, marked(text.title, words));
      if (data.has_labels) cell(row, marked(text.label, words));
      const whole = document.createElement("div");
      whole.tabIndex = 0;
      whole.append(...marked(text.text, words));
      cell(row, whole, "text");
      const list = document.createElement("ol");
      for (const [nearest, cosine] of text.nearest) {
        const item = document.createElement("li");
        item.append(link(byRow.get(nearest)), ` ${cosine}`);
        list.append(item);
      }
      cell(row, list);
    }
    count.textContent = found.length > SHOWN
      ? `${found.length.toLocaleString("en")} texts, the first ${SHOWN} are shown`
      : `${found.length.toLocaleString("en")} of ${data.texts.length.toLocaleString("en")} texts`;
  }
  input.addEventListener("input", draw);
  document.querySelector(".search").hidden = false;
  draw();
})();
