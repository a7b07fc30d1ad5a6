"""The book's data sets, installed as ``layerwise.datasets`` so that every notebook finds them."""
