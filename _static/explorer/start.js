// On a page that is opened from a file, browsers refuse modules: their place is taken by one
// classic script, which the build wrote. On a page from a server this does nothing.
if (location.protocol === "file:") {
  const script = document.createElement("script");
  script.src = new URL("assets/from-file.js", document.currentScript.src);
  script.onerror = () => {
    const explorers = "token-explorer, attention-explorer, drift-explorer, layers-explorer, ngram-explorer, surprisal-explorer, senses-explorer";
    for (const explorer of document.querySelectorAll(explorers))
      explorer.setAttribute("state", "unavailable"); // what stands in its place is shown, and no more room kept
  };
  document.head.append(script);
}
