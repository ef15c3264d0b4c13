"""``python -m secretbridge`` is ``secretbridge``."""

import sys

from secretbridge.cli import main

if __name__ == "__main__":
    sys.exit(main())
