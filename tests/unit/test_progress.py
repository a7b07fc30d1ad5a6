"""What is said while something is computed."""

import sys

from layerwise import progress


def test_what_is_said_is_seen_at_once(monkeypatch):
    """Also where the output goes into a file, and is kept until there is enough of it."""

    class Log:
        written, seen = "", ""

        def write(self, text):
            self.written += text

        def flush(self):
            self.seen = self.written

    monkeypatch.setattr(sys, "stderr", Log())
    progress.say("loading the model")
    assert sys.stderr.seen == "loading the model\n"
