// What a page does beyond being read: colours, copying, definitions, the way from a search to its
// place. All of it is extra: without this script every page can be read and every link followed.
// A classic script: browsers load modules from a server only, and the book also opens as files.
"use strict";

const root = document.documentElement;
const PLACE = document.currentScript.src; // of this file, and of others beside it
const MODES = ["auto", "light", "dark"];
const MODE_NAMES = { auto: "as the system", light: "light", dark: "dark" };

function setMode(mode) {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.mode = mode;
  root.dataset.theme = mode === "auto" ? (dark ? "dark" : "light") : mode;
  const button = document.querySelector(".theme-button");
  button.setAttribute("aria-label", `Colours: ${MODE_NAMES[mode]}`);
  button.title = button.getAttribute("aria-label");
}

function setUpTheme() {
  setMode(root.dataset.mode);
  document.querySelector(".theme-button").addEventListener("click", () => {
    const mode = MODES[(MODES.indexOf(root.dataset.mode) + 1) % MODES.length];
    setMode(mode);
    try {
      localStorage.setItem("mode", mode);
    } catch {
      // Storage may be forbidden; the choice then lasts for this page.
    }
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    setMode(root.dataset.mode);
  });
}

/** Close the menu of a phone when a link in it leads to a place on this page. */
function setUpMenu() {
  const contents = document.getElementById("contents");
  if (!contents.hidePopover) return; // the whole list is shown then
  contents.addEventListener("click", (event) => {
    if (event.target.closest("a") && contents.matches(":popover-open")) contents.hidePopover();
  });
}

/** Let the key / lead to the search field, as on many sites. */
function setUpSearchKey() {
  const field = document.getElementById("search-field");
  addEventListener("keydown", (event) => {
    const typing = event.composedPath()[0].closest?.("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (!field.checkVisibility()) document.getElementById("contents").showPopover?.();
    field.focus();
  });
}

/** Mark, in the contents, the section that is being read. */
function setUpPlace() {
  const links = new Map();
  for (const link of document.querySelectorAll('.contents li li a[href^="#"]')) {
    const section = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (section) links.set(section, link);
  }
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) links.get(target).setAttribute("aria-current", "location");
        else links.get(target).removeAttribute("aria-current");
      }
    },
    { rootMargin: "-30% 0px -69% 0px" },
  );
  for (const section of links.keys()) observer.observe(section);
}

function setUpCopying() {
  if (!navigator.clipboard) return; // not a secure address
  for (const code of document.querySelectorAll("article .highlight > pre")) {
    if (code.closest(".output")) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy-button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(code.textContent.trimEnd());
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
    code.parentElement.append(button);
  }
}

/** Offer to unfold all solutions at once, to read or to print them. */
function setUpSolutions() {
  const solutions = Array.from(document.querySelectorAll("details.solution"));
  const line = document.querySelector(".reading");
  if (!solutions.length || !line) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "unfold";
  const label = () => solutions.every(({ open }) => open) ? "Fold the solutions" : "Unfold the solutions";
  button.textContent = label();
  button.addEventListener("click", () => {
    const open = !solutions.every((solution) => solution.open);
    for (const solution of solutions) solution.open = open;
    button.textContent = label();
  });
  line.append(button);
}

/** Let the keyboard scroll what scrolls by itself. */
function setUpScrolling() {
  const selector = "article :is(pre, .output, .table-scroll, .math-display)";
  const update = () => {
    for (const [i, box] of document.querySelectorAll(selector).entries()) {
      const scrolls = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight + 1;
      if (scrolls) {
        box.tabIndex = 0;
        box.setAttribute("role", "region"); // what takes the focus has to say what it is
        box.setAttribute("aria-label", `Wider than its place: arrow keys scroll it (${i + 1})`);
      } else {
        for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
      }
    }
  };
  update();
  addEventListener("resize", update);
  document.addEventListener("toggle", update, true);
}

/** Show a term's definition, or what is cited, on hover, on focus, and on the first tap. */
function setUpDefinitions() {
  let shown = null;
  let timer = 0;
  const hide = () => {
    clearTimeout(timer);
    shown?.box.remove();
    shown = null;
  };
  const show = (link) => {
    clearTimeout(timer);
    if (shown?.link === link) return;
    hide();
    const box = document.createElement("div");
    box.className = "definition";
    box.append(...whatItSays(link));
    const more = document.createElement("a");
    more.href = link.href;
    more.textContent = link.matches(".term") ? "Glossary" : "References";
    box.append(more);
    box.addEventListener("pointerenter", () => clearTimeout(timer));
    box.addEventListener("pointerleave", hideSoon);
    document.querySelector("main").append(box); // within a landmark
    const place = link.getClientRects()[0];
    const left = Math.min(place.left, root.clientWidth - box.offsetWidth - 16);
    const below = place.bottom + box.offsetHeight + 8 < innerHeight;
    const top = below ? place.bottom + 4 : place.top - box.offsetHeight - 4;
    box.style.left = `${Math.max(16, left) + scrollX}px`;
    box.style.top = `${top + scrollY}px`;
    shown = { link, box };
  };
  const hideSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(hide, 250);
  };
  for (const link of document.querySelectorAll("a.term, article a[href*='bibliography.html#'][title]")) {
    link.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && show(link));
    link.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hideSoon());
    link.addEventListener("focus", () => link.matches(":focus-visible") && show(link));
    link.addEventListener("blur", hideSoon);
    link.addEventListener("click", (event) => {
      if (event.pointerType === "touch" && shown?.link !== link) {
        event.preventDefault();
        show(link);
      }
    });
  }
  addEventListener("keydown", (event) => event.key === "Escape" && hide());
  document.addEventListener("pointerdown", (event) => {
    if (shown && !shown.box.contains(event.target) && event.target !== shown.link) hide();
  });
}

/** Return, as nodes, a term's definition or the reference that a citation stands for. */
function whatItSays(link) {
  if (link.matches(".term")) {
    const text = document.getElementById(link.getAttribute("aria-describedby"));
    return Array.from(text.childNodes, (node) => node.cloneNode(true));
  }
  // A title would be shown by the browser too, a second later.
  if (link.title) link.setAttribute("aria-description", link.title);
  link.removeAttribute("title");
  const reference = document.createElement("p");
  reference.textContent = link.getAttribute("aria-description");
  return [reference];
}

/** Where a search has led here, mark its words and go to the first below the address's anchor. */
function setUpMarks() {
  const words = new URLSearchParams(location.search).get("mark")?.split(" ").filter(Boolean) ?? [];
  if (!words.length || !globalThis.Highlight) return;
  const here = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const literal = words.map((word) => word.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])(?:${literal.join("|")})`, "giu");
  const found = [];
  const texts = document.createTreeWalker(document.querySelector("article"), NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    for (const { index, 0: word } of text.data.matchAll(pattern)) {
      const range = new Range();
      range.setStart(text, index);
      range.setEnd(text, index + word.length);
      found.push(range);
    }
  }
  CSS.highlights.set("found", new Highlight(...found));
  const isBelow = ({ startContainer: text }) =>
    here.contains(text) || here.compareDocumentPosition(text) & Node.DOCUMENT_POSITION_FOLLOWING;
  const first = (here && found.find(isBelow)) || (!here && found[0]);
  if (!first) return;
  const element = first.startContainer.parentElement;
  const folded = element.closest("details:not([open])");
  if (folded) folded.open = true;
  element.scrollIntoView({ block: "center", behavior: "instant" });
}

/** Say so where an explorer's own script has not come: it needs a server, and modules. */
function setUpExplorers() {
  for (const explorer of document.querySelectorAll("article *:not(:defined)")) {
    if (!explorer.localName.endsWith("-explorer")) continue;
    explorer.setAttribute("state", "unavailable");
    const note = document.createElement("p");
    note.className = "explorer-note";
    note.textContent = location.protocol === "file:"
      ? "Here the website computes with the model. Browsers allow that to pages from a server only, and this page was opened as a file: HOW-TO-OPEN.txt, in the book's folder, says how to start one."
      : "The program of this figure did not arrive. Loading the page again may help.";
    explorer.append(note);
  }
}

/** Show the chapter on a projector where its address asks for it: chapters/tokens.html?project. */
function setUpProjector() {
  if (!new URLSearchParams(location.search).has("project")) return;
  const style = Object.assign(document.createElement("link"), { rel: "stylesheet" });
  style.href = PLACE.replace("site.js", "project.css");
  document.head.append(style);
  document.head.append(Object.assign(document.createElement("script"), {
    src: PLACE.replace("site.js", "project.js"),
  }));
}

setUpTheme();
setUpMenu();
setUpSearchKey();
root.classList.add("alive"); // or else the page does without what only this script makes work
// The rest needs the layout of the whole page: let the top of it be painted first.
requestAnimationFrame(() =>
  setTimeout(() => {
    root.classList.add("ready"); // the style sheet shows the cells that it held back
    setUpPlace();
    setUpCopying();
    setUpSolutions();
    setUpScrolling();
    setUpDefinitions();
    setUpMarks();
    setUpProjector();
  }),
);
addEventListener("load", setUpExplorers);
