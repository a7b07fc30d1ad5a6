"""What the book draws: one style, and one way into the page."""
