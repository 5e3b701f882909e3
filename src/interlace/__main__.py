"""`python -m interlace`: the command line."""

import sys

from interlace.cli import main

if __name__ == "__main__":
    sys.exit(main())
