"""What kind of hub this is, and so what ends it."""

from __future__ import annotations

import enum


class Mode(enum.Enum):
    """See `hub`."""

    LISTEN = "listen"
    STDIO = "stdio"
    SERVER = "server"
