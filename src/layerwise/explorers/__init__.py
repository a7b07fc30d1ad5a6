"""The in-page explorers: what the one of drift shows, and its script for pages from a file."""
