"""What was executed, on what, and where it is kept."""
