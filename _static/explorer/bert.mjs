// A BERT encoder in one sitting: from input IDs to the hidden states and attentions of all layers.
// The same steps, under the same names, as layerwise.by_hand in Python.
//
// A tensor is one Float32Array, row after row; its shape stands beside it in a comment.
// A weight is asked for by the name it has in the model: weights.get("embeddings.LayerNorm.bias").
// Chapter: "Large Language Models: An Introduction", "Components of the Transformer".

// The three steps that take nearly all the time. The loops below say what they do; where the
// browser can, kernel.mjs does the same on four numbers at once.
const loops = { linear, gelu, scaled_dot_product_attention };
let steps = loops;

export function useSteps(faster) {
  steps = faster ?? loops;
}

// Multiply every row of a with every row of b: what Python writes a @ b.T.
// a (n, k), b (m, k) -> (n, m). Most of the time is spent here, so eight products are made at
// once: four rows of a with two of b, each number read once and used several times.
function matmul_transposed(a, b, n, m, k) {
  const product = new Float32Array(n * m);
  const n_blocked = n - (n % 4);
  const m_blocked = m - (m % 2);
  for (let j = 0; j < m_blocked; j += 2) {
    const b0 = j * k, b1 = b0 + k;
    for (let i = 0; i < n_blocked; i += 4) {
      const a0 = i * k, a1 = a0 + k, a2 = a1 + k, a3 = a2 + k;
      let s00 = 0, s01 = 0, s10 = 0, s11 = 0, s20 = 0, s21 = 0, s30 = 0, s31 = 0;
      for (let d = 0; d < k; d++) {
        const u = b[b0 + d], v = b[b1 + d];
        const w = a[a0 + d], x = a[a1 + d], y = a[a2 + d], z = a[a3 + d];
        s00 += w * u; s10 += x * u; s20 += y * u; s30 += z * u;
        s01 += w * v; s11 += x * v; s21 += y * v; s31 += z * v;
      }
      const p = i * m + j;
      product[p] = s00; product[p + 1] = s01;
      product[p + m] = s10; product[p + m + 1] = s11;
      product[p + 2 * m] = s20; product[p + 2 * m + 1] = s21;
      product[p + 3 * m] = s30; product[p + 3 * m + 1] = s31;
    }
  }
  // What the blocks leave over: the last rows of a, and the last row of b.
  for (let i = 0; i < n; i++)
    for (let j = i < n_blocked ? m_blocked : 0; j < m; j++) {
      let sum = 0;
      for (let d = 0; d < k; d++) sum += a[i * k + d] * b[j * k + d];
      product[i * m + j] = sum;
    }
  return product;
}

// A linear layer: x Wᵀ + b, by the weight (n_out, n_in) and the bias (n_out) of that name.
// x (n_tokens, n_in) -> (n_tokens, n_out)
function linear(x, name, weights) {
  const weight = weights.get(name + ".weight");
  const bias = weights.get(name + ".bias");
  const n_out = bias.length;
  const n_in = weight.length / n_out;
  const n_tokens = x.length / n_in;
  const y = matmul_transposed(x, weight, n_tokens, n_out, n_in);
  for (let start = 0; start < y.length; start += n_out)
    for (let d = 0; d < n_out; d++) y[start + d] += bias[d];
  return y;
}

// LoRA: add scale · x Aᵀ Bᵀ, of two thin matrices A (rank, n_in) and B (n_out, rank), to what the
// linear layer of that name has made of x. Without LoRA nothing is done.
// x (n_tokens, n_in), y (n_tokens, n_out) -> y
function add_lora(y, x, name, lora) {
  if (!lora) return y;
  const down = lora.get(name + ".lora_down");
  const up = lora.get(name + ".lora_up");
  const n_tokens = (x.length * lora.rank) / down.length;
  const thin = matmul_transposed(x, down, n_tokens, lora.rank, down.length / lora.rank); // (n_tokens, rank)
  const added = matmul_transposed(thin, up, n_tokens, up.length / lora.rank, lora.rank);
  return y.map((number, i) => number + lora.scale * added[i]);
}

// Give every token's vector mean 0 and variance 1, then scale and shift it.
// x (n_tokens, n_dims) -> (n_tokens, n_dims)
function layer_norm(x, name, weights, eps) {
  const weight = weights.get(name + ".weight"); // (n_dims)
  const bias = weights.get(name + ".bias"); // (n_dims)
  const n_dims = weight.length;
  const y = new Float32Array(x.length);
  for (let start = 0; start < x.length; start += n_dims) {
    let mean = 0, variance = 0;
    for (let d = 0; d < n_dims; d++) mean += x[start + d] / n_dims;
    for (let d = 0; d < n_dims; d++) variance += (x[start + d] - mean) ** 2 / n_dims;
    const scale = 1 / Math.sqrt(variance + eps);
    for (let d = 0; d < n_dims; d++)
      y[start + d] = (x[start + d] - mean) * scale * weight[d] + bias[d];
  }
  return y;
}

// The error function, which JavaScript lacks; right to 1.5e-7, the fineness of a float32.
// Source: Abramowitz & Stegun (1964), formula 7.1.26.
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series =
    ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t +
      0.254829592) * t;
  return Math.sign(x) * (1 - series * Math.exp(-x * x));
}

// Weigh each number by the share of a normal distribution that lies below it. Works in place.
function gelu(x) {
  for (let i = 0; i < x.length; i++) x[i] = x[i] * 0.5 * (1 + erf(x[i] * Math.SQRT1_2));
  return x;
}

function add(a, b) {
  const sum = new Float32Array(a.length);
  for (let i = 0; i < a.length; i++) sum[i] = a[i] + b[i];
  return sum;
}

// Hidden state 0: LayerNorm(word + position + token type). -> (n_tokens, n_dims)
export function embed_tokens(batch, weights, config) {
  const { n_dims, n_positions, layer_norm_eps } = config;
  const n_tokens = batch.input_ids.length;
  if (n_tokens === 0) throw new RangeError("no tokens: there is nothing to embed");
  if (n_tokens > n_positions)
    throw new RangeError(`${n_tokens} tokens, but the model has ${n_positions} positions`);
  const sum = new Float32Array(n_tokens * n_dims);
  for (let t = 0; t < n_tokens; t++) {
    const word = weights.row("embeddings.word_embeddings.weight", batch.input_ids[t]);
    const position = weights.row("embeddings.position_embeddings.weight", t);
    const type_id = batch.token_type_ids[t];
    const type = weights.row("embeddings.token_type_embeddings.weight", type_id);
    for (let d = 0; d < n_dims; d++) sum[t * n_dims + d] = word[d] + position[d] + type[d];
  }
  return layer_norm(sum, "embeddings.LayerNorm", weights, layer_norm_eps);
}

// Turn scores into weights: what is masked gets 0, the rest of each row adds up to 1. In place.
// scores (n_tokens, n_tokens), attention_mask (n_tokens)
function softmax(scores, attention_mask) {
  const n_tokens = attention_mask.length;
  for (let start = 0; start < scores.length; start += n_tokens) {
    let largest = -Infinity, total = 0;
    for (let j = 0; j < n_tokens; j++)
      if (attention_mask[j] && scores[start + j] > largest) largest = scores[start + j];
    for (let j = 0; j < n_tokens; j++) {
      const weight = attention_mask[j] ? Math.exp(scores[start + j] - largest) : 0;
      scores[start + j] = weight;
      total += weight;
    }
    for (let j = 0; j < n_tokens; j++) scores[start + j] /= total;
  }
  return scores;
}

// softmax(Q Kᵀ / √d_k) V for one head.
// query, key (n_tokens, d_k), value_transposed (d_k, n_tokens)
function scaled_dot_product_attention(query, key, value_transposed, attention_mask) {
  const n_tokens = attention_mask.length;
  const d_k = query.length / n_tokens;
  const scores = matmul_transposed(query, key, n_tokens, n_tokens, d_k); // (n_tokens, n_tokens)
  for (let i = 0; i < scores.length; i++) scores[i] /= Math.sqrt(d_k);
  const attention = softmax(scores, attention_mask); // (n_tokens, n_tokens)
  const context = matmul_transposed(attention, value_transposed, n_tokens, d_k, n_tokens);
  return { context, attention }; // (n_tokens, d_k) and (n_tokens, n_tokens)
}

// Take the columns of one head. x (n_tokens, n_dims) -> (n_tokens, d_k), or (d_k, n_tokens)
function take_head(x, head, n_tokens, d_k, transposed = false) {
  const n_dims = x.length / n_tokens;
  const part = new Float32Array(n_tokens * d_k);
  for (let t = 0; t < n_tokens; t++)
    for (let d = 0; d < d_k; d++)
      part[transposed ? d * n_tokens + t : t * d_k + d] = x[t * n_dims + head * d_k + d];
  return part;
}

// Attend with every head by itself, and put their outputs side by side.
// hidden_states (n_tokens, n_dims) -> context (n_tokens, n_dims),
// attentions (n_heads, n_tokens, n_tokens)
function multi_head_self_attention(hidden_states, name, attention_mask, weights, config, lora) {
  const { n_heads, n_dims } = config;
  const n_tokens = attention_mask.length;
  const d_k = n_dims / n_heads;
  const project = (part) => steps.linear(hidden_states, name + part, weights); // (n_tokens, n_dims)
  const query = add_lora(project(".query"), hidden_states, name + ".query", lora);
  const key = project(".key");
  const value = add_lora(project(".value"), hidden_states, name + ".value", lora);
  const merged = new Float32Array(n_tokens * n_dims);
  const attentions = new Float32Array(n_heads * n_tokens * n_tokens);
  for (let head = 0; head < n_heads; head++) {
    const { context, attention } = steps.scaled_dot_product_attention(
      take_head(query, head, n_tokens, d_k),
      take_head(key, head, n_tokens, d_k),
      take_head(value, head, n_tokens, d_k, true),
      attention_mask,
    );
    attentions.set(attention, head * n_tokens * n_tokens);
    for (let t = 0; t < n_tokens; t++)
      merged.set(context.subarray(t * d_k, (t + 1) * d_k), t * n_dims + head * d_k);
  }
  return { context: merged, attentions };
}

// Expand each token's vector four times, bend it with GELU, contract it again.
// x (n_tokens, n_dims) -> (n_tokens, n_dims)
function feed_forward(x, name, weights) {
  const wider = steps.linear(x, name + ".intermediate.dense", weights); // (n_tokens, 4 n_dims)
  const expanded = steps.gelu(wider);
  return steps.linear(expanded, name + ".output.dense", weights);
}

// One layer: attention and feed-forward, each added to its input and normalized.
// hidden_states (n_tokens, n_dims) -> the same shape,
// and attentions (n_heads, n_tokens, n_tokens)
function encoder_layer(hidden_states, name, attention_mask, weights, config, lora) {
  const eps = config.layer_norm_eps;
  const { context, attentions } = multi_head_self_attention(
    hidden_states, name + ".attention.self", attention_mask, weights, config, lora,
  );
  const projected = steps.linear(context, name + ".attention.output.dense", weights);
  const attended = layer_norm(
    add(hidden_states, projected), name + ".attention.output.LayerNorm", weights, eps,
  );
  const transformed = feed_forward(attended, name, weights);
  const sum = add(attended, transformed);
  const output = layer_norm(sum, name + ".output.LayerNorm", weights, eps);
  return { hidden_states: output, attentions };
}

// Run the whole encoder on one text, keeping every layer.
// batch: { input_ids, token_type_ids, attention_mask }, each a list of n_tokens numbers
// afterLayer(n_done): called after each layer; if it throws, the rest is not run
// lora: what was trained for a task, from fine-tuned.mjs; without it the model is as it came
// -> hidden_states: n_layers + 1 arrays (n_tokens, n_dims)
//    attentions: n_layers arrays (n_heads, n_tokens, n_tokens)
export async function encode(batch, weights, config, afterLayer = () => {}, lora = null) {
  const hidden_states = [embed_tokens(batch, weights, config)];
  const attentions = [];
  for (let i = 0; i < config.n_layers; i++) {
    const layer = encoder_layer(
      hidden_states[i], `encoder.layer.${i}`, batch.attention_mask, weights, config, lora,
    );
    hidden_states.push(layer.hidden_states);
    attentions.push(layer.attentions);
    await afterLayer(i + 1);
  }
  return { hidden_states, attentions };
}

// The mean of the tokens that the mask counts. hidden_states (n_tokens, n_dims) -> (n_dims)
export function mean_pool(hidden_states, attention_mask) {
  const n_dims = hidden_states.length / attention_mask.length;
  const pooled = new Float32Array(n_dims);
  const n_counted = attention_mask.reduce((sum, counts) => sum + counts, 0);
  for (let i = 0; i < hidden_states.length; i++)
    if (attention_mask[Math.floor(i / n_dims)])
      pooled[i % n_dims] += hidden_states[i] / n_counted;
  return pooled;
}
