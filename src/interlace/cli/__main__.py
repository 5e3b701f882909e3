"""`python -m interlace.cli`."""

import sys

from interlace.cli import main

if __name__ == "__main__":
    sys.exit(main())
