"""``python -m include.sandbox``."""

import sys

from include.sandbox.cli import main

if __name__ == "__main__":
    sys.exit(main())
