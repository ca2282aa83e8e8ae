"""A DAP client library: one connection (`Client`), the usual moves of a debugging session on it
(`DebugSession`), and the sessions of a program's children (`Family`). Threads and the standard library
only; it knows DAP and nothing of remora's inside, so it drives any adapter. The terminal client, the
tests and the integrations stand on it.
"""

from remora.client.client import Client, Pending
from remora.client.failures import ClientError, Disconnected, RequestFailed, TimedOut
from remora.client.family import HOLD, Family
from remora.client.session import DebugSession, Stop

__all__ = [
    "HOLD",
    "Client",
    "ClientError",
    "DebugSession",
    "Disconnected",
    "Family",
    "Pending",
    "RequestFailed",
    "Stop",
    "TimedOut",
]
