// The page's side of worker.mjs: one model a page, shared by every explorer on it.

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
    this.running = false;
  }

  start() {
    this.worker = new Worker(new URL("./worker.mjs", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => this.hear(data);
    this.worker.onerror = (event) => {
      const waiting = [...this.waiting.values()];
      this.reset();
      const error = new Error(`The model stopped: ${event.message || "out of memory?"}`);
      for (const question of waiting) question.reject(error);
    };
  }

  hear({ id, progress, answer, error }) {
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
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, onProgress });
      this.worker.postMessage({ id, ...message });
    });
  }

  // Asked twice, it loads once. After a failure or a cancel it can be asked again.
  load(onProgress) {
    this.listeners.add(onProgress);
    const tell = (n_bytes) => this.listeners.forEach((listener) => listener(n_bytes));
    this.loading ??= this.ask({ ask: "load", manifest: this.manifest, base: this.base }, tell)
      .then(() => {
        this.ready = true;
      })
      .catch((error) => {
        this.loading = null;
        throw error;
      })
      .finally(() => this.listeners.clear());
    return this.loading;
  }

  cancel() {
    this.worker?.postMessage({ id: 0, ask: "cancel" });
  }

  // Run one text. Only the newest question matters: one that a newer one overtakes
  // while it waits gets null.
  run(batch) {
    this.next?.resolve(null);
    return new Promise((resolve, reject) => {
      this.next = { batch, resolve, reject };
      this.runNext();
    });
  }

  async runNext() {
    if (this.running || !this.next) return;
    const { batch, resolve, reject } = this.next;
    this.next = null;
    this.running = true;
    try {
      resolve(await this.ask({ ask: "run", batch }));
    } catch (error) {
      reject(error);
    }
    this.running = false;
    this.runNext();
  }
}

const models = new Map();

export function modelFor(manifest, base) {
  const key = String(base);
  if (!models.has(key)) models.set(key, new Model(manifest, base));
  return models.get(key);
}
