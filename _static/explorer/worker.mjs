// The model runs here, beside the page, so that the page never freezes.
// Asked:    { id, ask: "load", manifest, base } | { id, ask: "cancel" } | { id, ask: "run", batch }
// Answered: { id, progress } any number of times, then { id, answer } or { id, error }

import { encode } from "./bert.mjs";
import { loadWeights } from "./weights.mjs";

let weights = null;
let config = null;
let loading = null; // the AbortController of a load under way

async function load(id, { manifest, base }) {
  loading = new AbortController();
  const onProgress = (progress) => self.postMessage({ id, progress });
  weights = await loadWeights(manifest, base, { onProgress, signal: loading.signal });
  config = manifest.config;
  weights.decodeLayers();
  return true;
}

function run(batch) {
  const { hidden_states, attentions } = encode(batch, weights, config);
  return { hidden_states, attentions };
}

self.onmessage = async ({ data }) => {
  const { id, ask } = data;
  try {
    if (ask === "cancel") loading?.abort();
    else if (ask === "load") self.postMessage({ id, answer: await load(id, data) });
    else {
      const answer = run(data.batch);
      const buffers = [...answer.hidden_states, ...answer.attentions].map((array) => array.buffer);
      self.postMessage({ id, answer }, buffers); // handed over, not copied
    }
  } catch (error) {
    self.postMessage({ id, error: { kind: error.kind ?? error.name, message: error.message } });
  }
};
