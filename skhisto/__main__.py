"""Entry point of the command line, ``python -m skhisto``."""

import sys

from skhisto._commands.main import main

if __name__ == "__main__":
    sys.exit(main())
