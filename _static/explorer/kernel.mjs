// The steps of bert.mjs that take the time, done by kernel.wat: the same functions, faster.
// Here the numbers are laid out for it, in the one memory that it can reach.

const WIDTH = 16; // rows of a matrix that lie in one panel
const BLOCK = 64; // tokens taken at a time: more do not fit into the processor's near memory

// bytes: kernel.wat, compiled. Returns the steps, or null where the browser has no SIMD.
export async function startKernel(bytes) {
  try {
    const { instance } = await WebAssembly.instantiate(bytes);
    return new Kernel(instance.exports);
  } catch (error) {
    if (error instanceof WebAssembly.CompileError || error instanceof ReferenceError) return null;
    throw error;
  }
}

function* blocks(n) {
  for (let from = 0; from < n; from += BLOCK) yield { from, size: Math.min(BLOCK, n - from) };
}

const padded = (n, multiple) => Math.ceil(n / multiple) * multiple;

class Kernel {
  constructor(exports) {
    this.program = exports;
    this.weights = null; // whose matrices are laid out
    this.panels = new Map(); // the address of each
    this.top = 0; // below lie the matrices, which stay; above, what one step needs
  }

  // Make room for arrays of these lengths from an address on; returns them.
  room(address, ...lengths) {
    const { memory } = this.program;
    const n_bytes = lengths.reduce((sum, length) => sum + 4 * padded(length, 4), address);
    const missing = n_bytes - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / 65536));
    return lengths.map((length) => {
      const array = new Float32Array(memory.buffer, address, length);
      address += 4 * padded(length, 4);
      return array;
    });
  }

  // Lay out the matrices of all linear layers, so that the first line is as fast as the next.
  keep(weights) {
    this.weights = weights;
    this.panels = new Map();
    this.top = 0;
    for (const name of weights.linearLayers()) {
      const [n_out, n_in] = weights.shape(name + ".weight");
      const [panels] = this.room(this.top, padded(n_out, WIDTH) * n_in);
      layOut(weights.read(name + ".weight"), panels, n_out, n_in);
      this.panels.set(name, this.top);
      this.top += panels.byteLength;
    }
  }

  // x (n_tokens, n_in) -> (n_tokens, n_out)
  linear(x, name, weights) {
    if (weights !== this.weights) this.keep(weights);
    const [n_out, n_in] = weights.shape(name + ".weight");
    const n_tokens = x.length / n_in;
    const n = padded(n_tokens, 2); // the program takes rows two by two
    const m = padded(n_out, WIDTH);
    const [rows, bias, out] = this.room(this.top, n * n_in, m, n * m);
    rows.set(x);
    bias.set(weights.get(name + ".bias"));
    for (const { from, size } of blocks(n))
      this.program.product(
        rows.byteOffset + 4 * from * n_in, this.panels.get(name), bias.byteOffset,
        out.byteOffset + 4 * from * m, size, m, n_in);
    return unpadded(out, n_tokens, n_out, m);
  }

  // In place.
  gelu(x) {
    const [numbers] = this.room(this.top, padded(x.length, 4));
    numbers.set(x);
    this.program.gelu(numbers.byteOffset, numbers.byteOffset + numbers.byteLength);
    x.set(numbers.subarray(0, x.length));
    return x;
  }

  // One head. query, key (n_tokens, d_k), value_transposed (d_k, n_tokens)
  // -> context (n_tokens, d_k), attention (n_tokens, n_tokens)
  scaled_dot_product_attention(query, key, value_transposed, attention_mask) {
    const n_tokens = attention_mask.length;
    const d_k = query.length / n_tokens;
    const n = padded(n_tokens, 2);
    const m = padded(n_tokens, WIDTH);
    const d = padded(d_k, WIDTH);
    const [rows, keys, values, mask, none, scores, context] = this.room(
      this.top, n * d_k, m * d_k, d * m, m, d, n * m, n * d);
    rows.set(query);
    layOut(key, keys, n_tokens, d_k);
    layOut(value_transposed, values, d_k, n_tokens, m);
    none.fill(0);
    mask.fill(-1e30); // what is masked, and what only fills a panel up, comes out as weight 0
    attention_mask.forEach((counts, j) => counts && (mask[j] = 0));
    const at = (array) => array.byteOffset;
    const { product, softmax } = this.program;
    for (const { from, size } of blocks(n)) {
      const start = at(scores) + 4 * from * m;
      product(at(rows) + 4 * from * d_k, at(keys), at(mask), start, size, m, d_k);
      softmax(start, start + 4 * size * m, 4 * m, 1 / Math.sqrt(d_k));
      product(start, at(values), at(none), at(context) + 4 * from * d, size, d, m);
    }
    return {
      context: unpadded(context, n_tokens, d_k, d),
      attention: unpadded(scores, n_tokens, n_tokens, m),
    };
  }
}

// Put the rows of a matrix (m, k) into panels: 16 rows side by side, column after column.
// What is missing, in rows or in columns, is 0.
function layOut(matrix, panels, m, k, n_columns = k) {
  panels.fill(0);
  for (let i = 0; i < m; i++) {
    const start = (i - (i % WIDTH)) * n_columns + (i % WIDTH);
    for (let d = 0; d < k; d++) panels[start + d * WIDTH] = matrix[i * k + d];
  }
}

// Copy an array (n, width) without the columns that fill it up.
function unpadded(array, n, n_columns, width) {
  if (width === n_columns) return array.slice(0, n * n_columns);
  const copy = new Float32Array(n * n_columns);
  for (let i = 0; i < n; i++)
    copy.set(array.subarray(i * width, i * width + n_columns), i * n_columns);
  return copy;
}
