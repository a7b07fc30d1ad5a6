"""The collections that the book reads: one loader each."""
