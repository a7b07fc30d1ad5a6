// A chapter, projected: one section a screen, what is asked before what comes out, by keyboard or
// clicker. Fetched by site.js where the address of a chapter has ?project. Classic, as site.js is.
"use strict";

/** Return the screens of a chapter: a section each, an exercise each, and what comes after one. */
function screensOf(article) {
  const screens = [];
  const begin = (container, heading) => {
    screens.push({ container, heading, blocks: [], id: heading.closest("[id]").id });
    return screens.at(-1);
  };
  const walk = (section) => {
    const heading = section.querySelector(":scope > :is(h1, h2, h3, h4)");
    let screen = begin(section, heading);
    for (const block of Array.from(section.children)) {
      if (block === heading || block.matches(".reading, span:empty, script")) continue;
      if (block.matches("section")) walk(block);
      else if (block.matches(".exercise")) {
        const title = block.querySelector(":scope > .admonition-title");
        screen = begin(block, title);
        for (const part of Array.from(block.children)) {
          if (part !== title) screen.blocks.push(...(part.matches("div, section") ? part.children : [part]));
        }
      } else {
        if (screen.container !== section && !block.matches("details")) screen = begin(section, heading);
        screen.blocks.push(block);
      }
    }
  };
  for (const section of article.querySelectorAll(":scope > section")) walk(section);
  return screens;
}

/** Split a screen into steps: what a cell shows is a step of its own, for it is the answer. */
function stepsOf({ heading, blocks }) {
  const steps = [[heading]];
  const begin = (element) => steps.push([element]);
  let afterOutput = false;
  for (const block of blocks) {
    const output = block.matches(".cell") && block.querySelector(":scope > .cell_output");
    const computed = block.matches(".tag_remove-input");
    const folded = block.matches("details");
    const folds = folded && steps.at(-1).every((other) => other.matches("details"));
    if ((folded && !folds) || block.matches(".quiz")) begin(block);
    else if (afterOutput && !folded) begin(block);
    else if (computed && output?.querySelector("img, svg, figure, table")) begin(block);
    else steps.at(-1).push(block);
    afterOutput = false;
    if (output && !computed) {
      begin(output);
      afterOutput = true;
    }
  }
  return steps;
}

function project(article) {
  const page = document.documentElement;
  const screens = screensOf(article).map((screen) => ({ ...screen, steps: stepsOf(screen) }));
  if (!screens.length) return; // as on the page that says that there is none
  const place = document.createElement("p");
  place.className = "projected-place";
  place.setAttribute("role", "status");
  let at = 0;
  let step = 0;
  let notes = null;

  const draw = () => {
    const shown = screens[at];
    const visible = new Set(shown.steps.slice(0, step + 1).flat());
    for (const { container, steps } of screens) {
      container.classList.toggle("projected", container.contains(shown.container));
      for (const element of steps.flat()) element.classList.toggle("held-back", !visible.has(element));
    }
    place.textContent = `${at + 1} / ${screens.length}${step + 1 < shown.steps.length ? " …" : ""}`;
    const address = new URL(location.href);
    address.hash = shown.id;
    history.replaceState(null, "", address);
    dispatchEvent(new Event("resize")); // figures that measure their place
    tellNotes();
  };
  const go = (screen) => {
    [at, step] = [screen, 0];
    draw();
    look();
  };
  const find = () => screens.findIndex(({ id }) => `#${id}` === decodeURIComponent(location.hash));

  const last = () => screens[at].steps[step].at(-1);
  const look = () => {
    if (step === 0) scrollTo(0, 0);
    else screens[at].steps[step][0].scrollIntoView({ block: "nearest" });
  };

  const forward = () => {
    if (last().getBoundingClientRect().bottom > innerHeight + 8) {
      scrollBy(0, 0.8 * innerHeight);
      return;
    }
    if (step + 1 < screens[at].steps.length) step += 1;
    else if (at + 1 < screens.length) [at, step] = [at + 1, 0];
    draw();
    look();
  };
  const back = () => {
    if (step > 0) step -= 1;
    else if (at > 0) [at, step] = [at - 1, screens[at - 1].steps.length - 1];
    draw();
    look();
  };
  const answers = () => {
    const inside = (block) =>
      block.matches("details") ? [block] : Array.from(block.querySelectorAll("details"));
    const folded = screens[at].blocks.flatMap(inside).filter((block) => block.checkVisibility());
    const open = !folded.every((block) => block.open);
    for (const block of folded) block.open = open;
    if (!folded.length) return;
    folded[0].scrollIntoView({ block: "nearest" });
  };

  const tellNotes = () => {
    if (!notes || notes.closed) return;
    const plan = JSON.parse(document.getElementById("plan")?.textContent ?? "[]");
    const name = screens[at].name;
    const said = plan.filter(({ section }) => section === name);
    const list = said.map(({ minutes, kind, what, how }) =>
      paragraph(`${minutes} min · ${kind} · ${what}${how ? `: ${how}` : ""}`));
    const next = screens[at + 1] ? `Then: ${screens[at + 1].name}` : "This is the last screen.";
    notes.document.title = `Notes: ${name}`;
    notes.document.body.replaceChildren(
      heading(name), ...(list.length ? list : [paragraph("The plan says nothing of this one.")]),
      paragraph(next),
    );
  };
  const heading = (words) => Object.assign(document.createElement("h1"), { textContent: words });
  const paragraph = (words) => Object.assign(document.createElement("p"), { textContent: words });
  const openNotes = () => {
    notes = open("", "notes", "popup,width=560,height=480");
    if (!notes) return; // the browser forbids it
    notes.document.body.style.font = "20px/1.4 system-ui, sans-serif";
    notes.addEventListener("keydown", onKey);
    tellNotes();
  };
  const leave = () => {
    const address = new URL(location.href);
    address.searchParams.delete("project");
    location.href = address;
  };

  const KEYS = {
    ArrowRight: forward, PageDown: forward, " ": forward, ArrowLeft: back, PageUp: back,
    Home: () => go(0), End: () => go(screens.length - 1),
    a: answers, n: openNotes, Escape: leave,
  };
  const onKey = (event) => {
    const target = event.composedPath()[0];
    const typing = target.closest?.("input, textarea, select, [contenteditable]");
    // An explorer keeps its arrows, and a button its space; a clicker's keys work everywhere
    const inUse = event.composedPath().some((e) => e.localName?.endsWith("-explorer"))
      || target.closest?.("button, summary, a, [role=slider]");
    const clicker = event.key.startsWith("Page");
    const act = KEYS[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    if (typing || (inUse && !clicker && event.key !== "Escape")) return;
    event.preventDefault();
    act();
  };
  for (const screen of screens) {
    const words = screen.heading.cloneNode(true);
    for (const mark of words.querySelectorAll(".headerlink, .section-number")) mark.remove();
    screen.name = words.textContent.replace("●", "").trim();
    if (screen.heading.matches(".admonition-title")) { // as the plan calls an exercise
      screen.name = screen.name.replace(/^Exercise [\d.]* ?\((.+?) *\)$/, "$1");
    }
  }
  page.classList.add("projecting");
  article.append(place);
  addEventListener("keydown", onKey);
  addEventListener("hashchange", () => find() >= 0 && go(find())); // a link within the chapter
  go(Math.max(0, find()));
}

project(document.querySelector("article"));
