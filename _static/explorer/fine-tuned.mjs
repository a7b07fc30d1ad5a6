// A classifier on top of the page's model: LoRA and a head, from the file that tools/data/order_lora.py
// trained. The same steps as layerwise.fine_tuning in Python.

import { encode, mean_pool } from "./bert.mjs";
import { decodeFloat16 } from "./weights.mjs";

// A safetensors file of numbers of 16 bits: the length of its header, the header as JSON, the numbers.
// bytes: a Uint8Array -> { get(name), rank, scale }
export function readLora(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = 8 + Number(view.getBigUint64(0, true));
  const { __metadata__: said, ...tensors } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  const numbers = new Map();
  for (const [name, { dtype, data_offsets: [from, to] }] of Object.entries(tensors)) {
    if (dtype !== "F16") throw new TypeError(`${name} is of the type ${dtype}, not F16`);
    numbers.set(name, Float32Array.from({ length: (to - from) / 2 },
      (_, i) => decodeFloat16(view.getUint16(start + from + 2 * i, true))));
  }
  const thin = Object.keys(tensors).find((name) => name.endsWith(".lora_down"));
  return { get: (name) => numbers.get(name), rank: tensors[thin].shape[0], scale: JSON.parse(said.lora).scale };
}

// The margin of a text: above 0 if the classifier takes it for a real line.
export async function marginOf(batch, weights, config, lora, afterLayer) {
  const { hidden_states } = await encode(batch, weights, config, afterLayer, lora);
  const pooled = mean_pool(hidden_states.at(-1), batch.attention_mask); // (n_dims)
  const head = lora.get("head.weight"); // (2, n_dims)
  const [shuffled, real] = lora.get("head.bias").map((bias, label) =>
    pooled.reduce((sum, number, d) => sum + number * head[label * pooled.length + d], bias));
  return real - shuffled;
}
