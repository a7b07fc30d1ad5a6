"""`layerwise embed`: every layer of every text of a table, in files that last."""
