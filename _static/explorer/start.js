// On a page that is opened from a file, browsers refuse modules: their place is taken by one
// classic script, which the build wrote. On a page from a server this does nothing.
if (location.protocol === "file:") {
  const script = document.createElement("script");
  script.src = new URL("assets/from-file.js", document.currentScript.src);
  script.onerror = () => {
    for (const element of document.querySelectorAll("*")) {
      // what stands in its place is shown, and no more room kept
      if (element.localName.endsWith("-explorer")) element.setAttribute("state", "unavailable");
    }
  };
  document.head.append(script);
}
