"""``python -m secretbridge`` is ``secretbridge``."""

import sys

from secretbridge.cli import main

if __name__ == "__main__":  # pragma: no branch - python -m runs it, and nothing imports it
    sys.exit(main())
