// The model's weights, decoded from whole numbers: tools/explorers/make.py wrote them, and
// manifest.json says what lies where in weights.bin.

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
    if (!this.decoded.has(name)) this.decoded.set(name, this.read(name));
    return this.decoded.get(name);
  }

  // The same, without keeping it.
  read(name) {
    const { dtype, offset } = this.tensors.get(name);
    const n_numbers = this.shape(name).reduce((product, n) => product * n, 1);
    return dtype === "float32"
      ? new Float32Array(this.bytes, offset, n_numbers)
      : this.decode(name, 0, n_numbers);
  }

  shape(name) {
    return this.tensors.get(name).shape;
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

  // The names of the linear layers, without ".weight".
  linearLayers() {
    return [...this.tensors.keys()]
      .filter((name) => name.startsWith("encoder.") && this.shape(name).length === 2)
      .map((name) => name.replace(/\.weight$/, ""));
  }
}
