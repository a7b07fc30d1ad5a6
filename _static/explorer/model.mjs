// The page's side of worker.mjs: one model a page, shared by every explorer on it.

import { WordPiece } from "./wordpiece.mjs";

export class Model {
  constructor(manifest, base) {
    this.manifest = manifest;
    this.base = String(base);
    this.reset();
  }

  reset() {
    this.worker?.terminate();
    this.worker = null;
    this.loading = null; // the promise of a load under way or done
    this.ready = false;
    this.listeners = new Set(); // who wants to know how far the load is
    this.waiting = new Map(); // questions the worker has not answered yet
    this.next = null; // the newest line, while an older one runs
    this.running = null; // the worker's number of the line that runs
    this.tokenizer = null;
  }

  start() {
    this.worker = new Worker(new URL("./worker.mjs", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => this.hear(data);
    this.worker.onerror = (event) => {
      const waiting = [...this.waiting.values()];
      this.reset();
      const error = new Error(this.heard
        ? `The model stopped: ${event.message || "out of memory?"}`
        : "The model’s program cannot be reached. Try again with a network.");
      for (const question of waiting) question.reject(error);
    };
  }

  hear({ id, progress, answer, error }) {
    this.heard = true;
    const question = this.waiting.get(id);
    if (!question) return;
    if (progress !== undefined) return void question.onProgress?.(progress);
    this.waiting.delete(id);
    if (error) question.reject(Object.assign(new Error(error.message), { kind: error.kind }));
    else question.resolve(answer);
  }

  ask(message, onProgress) {
    if (!this.worker) this.start();
    const id = (this.lastId = (this.lastId ?? 0) + 1);
    const answered = new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, onProgress });
      this.worker.postMessage({ id, ...message });
    });
    return { id, answered };
  }

  // Asked twice, it loads once. After a failure or a cancel it can be asked again.
  load(onProgress) {
    this.listeners.add(onProgress);
    const tell = (n_bytes) => this.listeners.forEach((listener) => listener(n_bytes));
    this.loading ??= this.askToLoad(tell).finally(() => this.listeners.clear());
    return this.loading;
  }

  async askToLoad(tell) {
    try {
      const { id, answered } = this.ask({ ask: "load", manifest: this.manifest, base: this.base }, tell);
      this.loadId = id;
      const { vocabulary, fast } = await answered;
      this.tokenizer = new WordPiece(vocabulary);
      this.fast = fast;
      this.ready = true;
    } catch (error) {
      this.loading = null;
      throw error;
    }
  }

  cancelLoad() {
    this.worker?.postMessage({ ask: "cancel", id: this.loadId });
  }

  // Run one text; onProgress(n_layers_done).
  run(batch, onProgress = () => {}) {
    return this.askNewest({ ask: "run", batch }, onProgress);
  }

  // The margin of each text under the classifier of word order.
  margins(batches) {
    return this.askNewest({ ask: "margins", batches });
  }

  // Only the newest question matters: one that a newer one overtakes, or that is stopped, gets null.
  askNewest(message, onProgress) {
    this.stop();
    return new Promise((resolve, reject) => {
      this.next = { message, onProgress, resolve, reject };
      this.runNext();
    });
  }

  // Drop the line that waits, and the one that runs.
  stop() {
    this.next?.resolve(null);
    this.next = null;
    if (this.running !== null) this.worker.postMessage({ ask: "cancel", id: this.running });
  }

  async runNext() {
    if (this.running !== null || !this.next) return;
    const { message, onProgress, resolve, reject } = this.next;
    this.next = null;
    try {
      const { id, answered } = this.ask(message, onProgress);
      this.running = id;
      resolve(await answered);
    } catch (error) {
      if (error.kind === "AbortError") resolve(null);
      else reject(error);
    }
    this.running = null;
    this.runNext();
  }
}

const models = new Map();

export function modelFor(manifest, base) {
  const key = String(base);
  if (!models.has(key)) models.set(key, new Model(manifest, base));
  return models.get(key);
}
