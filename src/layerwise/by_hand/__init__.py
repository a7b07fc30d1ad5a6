"""Models in one sitting each, rebuilt from their own weights."""
