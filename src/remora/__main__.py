"""`python -m remora`, and the command `remora`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line in sys.argv; return the exit code."""
    from remora.cli.main import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
