"""``python -m layerwise`` is the command ``layerwise``."""

import sys

from layerwise.cli import main

if __name__ == "__main__":
    sys.exit(main())
