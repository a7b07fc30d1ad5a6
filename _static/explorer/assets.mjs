// What the explorers read: fetched, verified, kept by the browser.
// tools/explorers wrote it; manifest.json says what there is, how long, and with which digest.

import { sha256 } from "./sha256.mjs";

const FORMAT = 2; // of manifest.json; another number means files of another build
const CACHE = "layerwise-explorers";

// What went wrong, in words for the reader. kind: "network", "damaged" or "missing".
export class AssetError extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

// A page opened from a file may fetch nothing; from-file.js has put what it needs here.
const fromFile = () => globalThis.layerwiseFiles;

export function isFromFile() {
  return Boolean(fromFile());
}

// The newest manifest there is; without a network, the one of an earlier visit.
export async function fetchManifest(base) {
  const manifest = fromFile() ? JSON.parse(fromFile()["manifest.json"]) : await fetchNewest(new URL("manifest.json", base));
  if (manifest.format !== FORMAT) throw new AssetError("damaged", "the explorers' data is of another version");
  return manifest;
}

async function fetchNewest(address) {
  const cache = await openCache();
  let response;
  try {
    response = await fetch(address, { cache: "no-cache" });
  } catch {
    const kept = await cache?.match(address);
    if (kept) return kept.json();
    throw new AssetError("network", "the explorers' data cannot be reached, and an earlier visit has not kept it");
  }
  if (!response.ok) throw new AssetError("missing", "the explorers' data is not part of this site");
  await put(cache, address, response.clone());
  return response.json();
}

// A part that the manifest describes, as bytes. Its digest is the manifest's, or it is refused.
// onProgress(n_bytes_so_far); signal cancels.
export async function fetchPart(manifest, base, part, { onProgress = () => {}, signal } = {}) {
  const { file, bytes: n_bytes, sha256: expected } = manifest[part];
  if (fromFile()) return new TextEncoder().encode(fromFile()[file]);
  const address = addressOf(manifest, base, part);
  const cache = await openCache();
  const kept = await readKept(cache, address, expected);
  if (kept) return kept;
  const bytes = await download(address, file, n_bytes, onProgress, signal);
  if ((await sha256(bytes)) !== expected)
    throw new AssetError("damaged",
      `${file}, as it arrived, is damaged or of another version than this page. It was not used. Reload the page and try again.`);
  signal?.throwIfAborted();
  await put(cache, address, new Response(bytes));
  await dropOlder(cache, address);
  return bytes;
}

export async function fetchText(manifest, base, part) {
  return new TextDecoder().decode(await fetchPart(manifest, base, part));
}

// "kept", "not kept", or "never kept" by this browser: plain http, private windows.
export async function isKept(manifest, base, parts) {
  const cache = await openCache();
  if (!cache) return "never kept";
  const found = await Promise.all(parts.map((part) => cache.match(addressOf(manifest, base, part))));
  return found.every(Boolean) ? "kept" : "not kept";
}

// The address carries the digest: another version of a file is another address.
function addressOf(manifest, base, part) {
  const { file, sha256 } = manifest[part];
  return `${new URL(file, base)}?sha256=${sha256}`;
}

// Browsers without a cache work too; they fetch every time.
async function openCache() {
  try {
    return await caches.open(CACHE);
  } catch {
    return null;
  }
}

// What an earlier visit kept, if it is whole; a damaged copy is thrown away.
async function readKept(cache, address, expected) {
  try {
    const response = await cache?.match(address);
    if (!response) return null;
    const bytes = new Uint8Array(await response.arrayBuffer());
    if ((await sha256(bytes)) === expected) return bytes;
    await cache.delete(address);
  } catch {
    // An unreadable cache is no cache.
  }
  return null;
}

async function download(address, file, n_bytes, onProgress, signal) {
  const bytes = new Uint8Array(n_bytes);
  let n = null; // bytes that have arrived; null before the server answers
  try {
    const response = await fetch(address, { signal });
    if (!response.ok)
      throw new AssetError("missing", `${file} is not where it should be (the server said ${response.status}).`);
    n = 0;
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes.set(value.subarray(0, n_bytes - n), Math.min(n, n_bytes)); // never past the end: the digest will tell
      n += value.length;
      onProgress(Math.min(n, n_bytes));
    }
  } catch (error) {
    if (error.name === "AbortError" || error instanceof AssetError) throw error;
    throw lost(file, n, n_bytes);
  }
  if (n < n_bytes) throw lost(file, n, n_bytes);
  return bytes;
}

function lost(file, n, n_bytes) {
  return new AssetError("network", n === null
    ? `${file} cannot be reached, and this browser has not kept it. Try again with a network.`
    : `The connection was lost after ${megabytes(n)} of ${megabytes(n_bytes)}. Nothing was run or kept. Try again.`);
}

async function put(cache, address, response) {
  try {
    await cache?.put(address, response);
  } catch {
    // A full disk costs the reader another download next time, no more.
  }
}

// Drop other versions of the file that this address is of.
async function dropOlder(cache, address) {
  const path = address.split("?")[0];
  for (const request of (await cache?.keys()) ?? [])
    if (request.url.split("?")[0] === path && request.url !== address) await cache.delete(request);
}

export function megabytes(n_bytes) {
  return `${(n_bytes / 1e6).toFixed(1)} MB`;
}

export function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

// Numbers that the build packed as whole thousandths, two bytes each.
export function fromThousandths(text) {
  return Float64Array.from(new Int16Array(fromBase64(text).buffer), (n) => n / 1000);
}

// Numbers from low to high that were packed as unsigned integers in base64.
export function unpack(base64, Integers, low = 0, high = 1) {
  const limit = 2 ** (8 * Integers.BYTES_PER_ELEMENT) - 1;
  return Float32Array.from(new Integers(fromBase64(base64).buffer), (n) => low + (n / limit) * (high - low));
}
