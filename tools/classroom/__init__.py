"""What a teacher hands out: ``nox -s classroom``."""
