// The model runs here, beside the page, so that the page never freezes.
// Asked:    { id, ask: "load", manifest, base } | { id, ask: "run", batch } |
//           { id, ask: "margins", batches }, by the classifier of word order | { ask: "cancel", id }
// Answered: { id, progress } any number of times, then { id, answer } or { id, error }
// Progress counts bytes while loading, and layers while running.

import { fetchPart, fromBase64 } from "./assets.mjs";
import { encode, useSteps } from "./bert.mjs";
import { marginOf, readLora } from "./fine-tuned.mjs";
import { startKernel } from "./kernel.mjs";
import { Weights } from "./weights.mjs";

const LONGEST_SILENCE = 40; // milliseconds without listening whether to stop

const underWay = new Map(); // the AbortController of each question
let weights = null;
let config = null;
let fetchLora = null; // the classifier's weights, fetched when first asked for
let lora = null;

// Returns the vocabulary, and whether the kernel runs.
async function load({ manifest, base }, onProgress, signal) {
  const parts = {};
  let n_before = 0;
  for (const part of ["vocab", "weights"]) {
    const counted = (n) => onProgress(n_before + n);
    parts[part] = await fetchPart(manifest, base, part, { onProgress: counted, signal });
    n_before += manifest[part].bytes;
  }
  weights = new Weights(parts.weights.buffer, manifest);
  config = manifest.config;
  fetchLora = (signal) => fetchPart(manifest, base, "order", { signal });
  const kernel = await startKernel(fromBase64(manifest.kernel));
  useSteps(kernel);
  if (kernel) kernel.keep(weights);
  else weights.linearLayers().forEach((name) => weights.get(name + ".weight"));
  return { vocabulary: new TextDecoder().decode(parts.vocab), fast: kernel !== null };
}

function run({ batch }, onProgress, signal) {
  return encode(batch, weights, config, listener(onProgress, signal));
}

async function margins({ batches }, onProgress, signal) {
  lora ??= readLora(await fetchLora(signal));
  const found = [];
  for (const batch of batches)
    found.push(await marginOf(batch, weights, config, lora, listener(onProgress, signal)));
  return found;
}

// What is done after each layer: say how far it is, and listen whether to stop.
function listener(onProgress, signal) {
  let listened = performance.now();
  return async (n_done) => {
    onProgress(n_done);
    if (performance.now() - listened < LONGEST_SILENCE) return;
    await new Promise((resolve) => setTimeout(resolve)); // a cancel can come in here
    signal.throwIfAborted();
    listened = performance.now();
  };
}

const answers = { load, run, margins };

self.onmessage = async ({ data }) => {
  const { id, ask } = data;
  if (ask === "cancel") return underWay.get(id)?.abort();
  const controller = new AbortController();
  underWay.set(id, controller);
  const onProgress = (progress) => self.postMessage({ id, progress });
  try {
    const answer = await answers[ask](data, onProgress, controller.signal);
    const arrays = ask === "run" ? [...answer.hidden_states, ...answer.attentions] : [];
    self.postMessage({ id, answer }, arrays.map((array) => array.buffer)); // handed over, not copied
  } catch (error) {
    self.postMessage({ id, error: { kind: error.kind ?? error.name, message: error.message } });
  }
  underWay.delete(id);
};
