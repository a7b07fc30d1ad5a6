"""Chapters to pages: build, pages, notebooks, lint."""
