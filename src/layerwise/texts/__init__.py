"""Texts: the book's collections, one loader each, and a reader's own, from any table."""
