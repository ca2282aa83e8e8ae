"""Why a process cannot be attached to: one error, whose text names what to change."""

from __future__ import annotations

from remora.dap.errors import CANNOT_ATTACH, DapError, UsageError


class NotPython(UsageError):
    """The process is no Python program, or a part of the kernel."""


def cannot(pid: int, reason: str) -> DapError:
    """Make the error to raise. UsageError."""
    return CANNOT_ATTACH(pid=pid, reason=reason)


def not_python(pid: int, reason: str) -> NotPython:
    made = CANNOT_ATTACH(pid=pid, reason=reason)
    return NotPython(made.format, id=made.id, variables=made.variables)


__all__ = ["DapError", "NotPython", "cannot", "not_python"]
