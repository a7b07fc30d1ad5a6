"""Look inside a Transformer encoder, layer by layer."""
