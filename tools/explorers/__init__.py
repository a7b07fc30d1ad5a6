"""What the explorers in the pages read."""
