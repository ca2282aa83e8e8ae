"""The program of a hub that `remora.listen()` starts: `python -I -S <package>/hub/boot.py`.

Isolated and without site-packages: it starts in half the time, and nothing of the debuggee's environment
(PYTHONPATH, sitecustomize, modules named like the standard library's) can break it. What it is to serve is in
the variable `dap.hello.HUB_VARIABLE`; the descriptors named there are inherited.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    # Last: nothing beside the package may shadow the standard library.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    import json

    from remora.dap.hello import HUB_VARIABLE
    from remora.hub.service import serve

    serve(json.loads(os.environ.pop(HUB_VARIABLE)))


if __name__ == "__main__":
    main()
