"""The one error that a command ends with when what is wrong is known."""


class BuildError(Exception):
    """Something is wrong that the reader of the message can put right; no traceback helps."""
