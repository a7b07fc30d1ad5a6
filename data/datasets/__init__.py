"""The book's data, installed as ``layerwise.datasets`` so that every notebook finds them."""
