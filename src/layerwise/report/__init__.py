"""The command `layerwise report`: from one's own texts to a folder of figures and numbers."""
