"""What builds the book and what it is made from; the commands are in noxfile.py."""

import sys

# jsonschema would use it to check one format, IRIs, that no notebook has, and it compiles
# grammars whenever it is imported, which every build would wait for.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

if sys.argv[0] == "-m":  # a tool is started: importing it takes seconds, and may be stopped
    from tools.desk import handle_signals

    handle_signals()
