"""A DAP client library: one connection (`Client`) and the usual moves of a debugging session on it
(`DebugSession`). Threads and the standard library only; it knows DAP and nothing of remora's inside,
so it drives any adapter. The terminal client, the tests and the integrations stand on it.
"""

from remora.client.client import Client, Pending
from remora.client.failures import ClientError, Disconnected, RequestFailed, TimedOut
from remora.client.session import DebugSession, Stop

__all__ = [
    "Client",
    "ClientError",
    "DebugSession",
    "Disconnected",
    "Pending",
    "RequestFailed",
    "Stop",
    "TimedOut",
]
