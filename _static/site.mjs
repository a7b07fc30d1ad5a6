// What a page does beyond being read: colours, menu, copying, definitions. All of it is extra:
// without this script every page can be read and every link followed.

const root = document.documentElement;
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

function setUpMenu() {
  const button = document.querySelector(".menu-button");
  const contents = document.getElementById("contents");
  const toggle = (open) => {
    contents.classList.toggle("open", open);
    button.setAttribute("aria-expanded", String(open));
  };
  button.addEventListener("click", () => toggle(!contents.classList.contains("open")));
  contents.addEventListener("click", (event) => event.target.closest("a") && toggle(false));
  contents.parentElement.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && contents.classList.contains("open")) {
      toggle(false);
      button.focus();
    }
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

/** Let the keyboard scroll what scrolls by itself. */
function setUpScrolling() {
  const selector = "article :is(pre, .output, .table-scroll, .math-display)";
  const update = () => {
    for (const box of document.querySelectorAll(selector)) {
      const scrolls = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight + 1;
      if (scrolls) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  update();
  addEventListener("resize", update);
  document.addEventListener("toggle", update, true);
}

/** Show a glossary term's definition on hover, on focus, and on the first tap. */
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
    const text = document.getElementById(link.getAttribute("aria-describedby"));
    const box = document.createElement("div");
    box.className = "definition";
    box.append(...Array.from(text.childNodes, (node) => node.cloneNode(true)));
    const more = document.createElement("a");
    more.href = link.href;
    more.textContent = "Glossary";
    box.append(more);
    box.addEventListener("pointerenter", () => clearTimeout(timer));
    box.addEventListener("pointerleave", hideSoon);
    document.body.append(box);
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
  for (const link of document.querySelectorAll("a.term")) {
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

setUpTheme();
setUpMenu();
// The rest needs the layout of the whole page: let the top of it be painted first.
requestAnimationFrame(() =>
  setTimeout(() => {
    root.classList.add("ready"); // the style sheet shows the cells that it held back
    setUpPlace();
    setUpCopying();
    setUpScrolling();
    setUpDefinitions();
  }),
);
