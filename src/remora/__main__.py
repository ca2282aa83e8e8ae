"""`python -m remora`, and the command `remora`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line in sys.argv; return the exit code."""
    from remora.cli.main import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    if not sys.flags.safe_path:
        # `python -m` puts the current folder first, where a file of the user's may be named like a module of
        # the standard library. The program gets its own first entry later.
        sys.path[0] = "/dev/null"
    sys.exit(main())
