// The model's weights: fetched, verified, kept by the browser, decoded from whole numbers.
// tools/explorers/make.py wrote them; manifest.json says what lies where in weights.bin.

import { sha256 } from "./sha256.mjs";

const CACHE = "layerwise-explorer-weights";

// What went wrong, in words for the reader. kind: "network", "damaged" or "missing".
export class WeightsError extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

// A number of 16 bits: 1 for the sign, 5 for the exponent, 10 for the fraction.
export function decodeFloat16(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

export class Weights {
  // bytes: an ArrayBuffer holding weights.bin
  constructor(bytes, manifest) {
    this.bytes = bytes;
    this.block = manifest.weights.block; // numbers that share a scale
    this.tensors = new Map(manifest.tensors.map((tensor) => [tensor.name, tensor]));
    this.decoded = new Map();
  }

  // A whole parameter as a Float32Array, decoded when first asked for.
  get(name) {
    if (!this.decoded.has(name)) {
      const { dtype, shape, offset } = this.tensors.get(name);
      const n_numbers = shape.reduce((product, n) => product * n, 1);
      this.decoded.set(
        name,
        dtype === "float32"
          ? new Float32Array(this.bytes, offset, n_numbers)
          : this.decode(name, 0, n_numbers),
      );
    }
    return this.decoded.get(name);
  }

  // One row of a matrix: an embedding is looked up, the other thirty thousand stay packed.
  row(name, index) {
    const { dtype, offset, shape: [n_rows, n_columns] } = this.tensors.get(name);
    if (!(index >= 0 && index < n_rows)) throw new RangeError(`${name} has no row ${index}`);
    const start = index * n_columns;
    return dtype === "float32"
      ? new Float32Array(this.bytes, offset + start * 4, n_columns)
      : this.decode(name, start, n_columns);
  }

  // number = whole number * the fp16 scale of its block. A whole number has 10 bits: the upper 8
  // are an int8, the lowest 2 stand elsewhere, four to a byte.
  decode(name, start, length) {
    const { offset, low_offset, scales_offset } = this.tensors.get(name);
    const { bytes, block } = this;
    const upper = new Int8Array(bytes, offset + start, length);
    const low = new Uint8Array(bytes, low_offset + start / 4, length / 4);
    const scales = new Uint16Array(bytes, scales_offset + (start / block) * 2, length / block);
    const numbers = new Float32Array(length);
    for (let b = 0; b < scales.length; b++) {
      const scale = decodeFloat16(scales[b]);
      for (let i = b * block; i < (b + 1) * block; i++) {
        const lowest = (low[i >> 2] >> (2 * (i & 3))) & 3;
        numbers[i] = (upper[i] * 4 + lowest) * scale;
      }
    }
    return numbers;
  }

  // Decode everything that linear layers use, so that the first line is as fast as the next.
  decodeLayers() {
    for (const name of this.tensors.keys()) if (name.startsWith("encoder.")) this.get(name);
  }
}

// The address carries the digest: another version of the weights is another address.
function addressOf(manifest, base) {
  return `${new URL(manifest.weights.file, base)}?sha256=${manifest.weights.sha256}`;
}

// Browsers without a cache (plain http, private windows) work too; they fetch every time.
async function openCache() {
  try {
    return await caches.open(CACHE);
  } catch {
    return null;
  }
}

export async function isCached(manifest, base) {
  const cache = await openCache();
  return Boolean(await cache?.match(addressOf(manifest, base)));
}

// Fetch and verify the weights. onProgress(n_bytes_so_far); signal cancels.
export async function loadWeights(manifest, base, { onProgress = () => {}, signal } = {}) {
  const address = addressOf(manifest, base);
  const cache = await openCache();
  const kept = await readKept(cache, address, manifest);
  if (kept) return new Weights(kept, manifest);
  const bytes = await download(address, manifest.weights.bytes, onProgress, signal);
  if ((await sha256(bytes)) !== manifest.weights.sha256)
    throw new WeightsError(
      "damaged",
      "The weights that arrived are not the ones this page was made with. Nothing was run. Reload the page and try again.",
    );
  signal?.throwIfAborted();
  await keep(cache, address, bytes);
  return new Weights(bytes.buffer, manifest);
}

// What an earlier visit kept, if it is whole; a damaged copy is thrown away.
async function readKept(cache, address, manifest) {
  try {
    const response = await cache?.match(address);
    if (!response) return null;
    const bytes = new Uint8Array(await response.arrayBuffer());
    if ((await sha256(bytes)) === manifest.weights.sha256) return bytes.buffer;
    await cache.delete(address);
  } catch {
    // An unreadable cache is no cache.
  }
  return null;
}

async function download(address, n_bytes, onProgress, signal) {
  const lost = (n) =>
    new WeightsError(
      "network",
      `The connection was lost after ${megabytes(n)} of ${megabytes(n_bytes)} MB. Nothing was run or kept. Try again.`,
    );
  const bytes = new Uint8Array(n_bytes);
  let n = 0;
  try {
    const response = await fetch(address, { signal });
    if (!response.ok)
      throw new WeightsError(
        "missing",
        `The weights are not where they should be (the server said ${response.status}).`,
      );
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes.set(value.subarray(0, n_bytes - n), n); // never past the end: the digest will tell
      n += value.length;
      onProgress(Math.min(n, n_bytes));
    }
  } catch (error) {
    if (error.name === "AbortError" || error instanceof WeightsError) throw error;
    throw lost(n);
  }
  if (n < n_bytes) throw lost(n);
  return bytes;
}

// Keep these weights, and drop older versions of the same file.
async function keep(cache, address, bytes) {
  try {
    await cache?.put(address, new Response(bytes));
    const path = address.split("?")[0];
    for (const request of (await cache?.keys()) ?? [])
      if (request.url.split("?")[0] === path && request.url !== address) await cache.delete(request);
  } catch {
    // A full disk costs the reader another download next time, no more.
  }
}

export function megabytes(n_bytes) {
  return (n_bytes / 1e6).toFixed(1);
}
