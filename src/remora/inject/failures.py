"""Why a process cannot be attached to: one error, whose text names what to change."""

from __future__ import annotations

from remora.dap.errors import CANNOT_ATTACH, DapError


def cannot(pid: int, reason: str) -> DapError:
    """Make the error to raise. UsageError."""
    return CANNOT_ATTACH(pid=pid, reason=reason)
