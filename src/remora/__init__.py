"""remora: a remote debugger for Python. `import remora` costs nothing; each function loads what it needs.

    import remora
    remora.listen(5678)
    remora.wait_for_client()
    breakpoint()

Errors: TypeError and ValueError for a wrong argument, OSError for an address that cannot be had,
RuntimeError for a call that contradicts an earlier one.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__version__ = "0.1.0"

__all__ = [
    "breakpoint",
    "configure",
    "connect",
    "debug_this_thread",
    "is_client_connected",
    "listen",
    "log_to",
    "stop",
    "trace_this_thread",
    "wait_for_client",
]


def listen(
    address: int | tuple[str, int], *, in_process: bool = False, token: str | None = None
) -> tuple[str, int]:
    """Let clients attach to this process at a port or (host, port); return the real (host, port) at once.

    Port 0 takes a free one; without a host it is 127.0.0.1. A hub process owns the port, or, with
    `in_process`, a thread of this process. Clients of the same user on this machine need no token
    unless one is given, here or in the environment as REMORA_TOKEN; at any other address one is needed, and
    made and printed if none is given.

    The Python processes that this one starts are debugged through the same port, unless
    `configure(sub_process=False)` or `in_process` says otherwise; in such a child `listen` returns that port.
    Listening again at the same address changes nothing; at another it raises RuntimeError: call `stop()`
    first. OSError if the address cannot be had. Until a client attaches nothing is slower.
    """
    from remora.agent import join

    return join.listen(address, in_process=in_process, token=token)


def connect(address: int | tuple[str, int], *, token: str | None = None) -> tuple[str, int]:
    """Join a hub that listens at `address`, with the token it asks for. OSError if there is none."""
    from remora.agent import join

    return join.connect(address, token=token)


def wait_for_client(timeout_s: float | None = None) -> bool:
    """Block until a client has attached and set its breakpoints. False if `timeout_s` has passed first.

    RuntimeError if nothing is listened at or connected to.
    """
    from remora.agent import join

    agent = join.current()
    if agent is None and join.only_forks():
        return True  # multiprocessing's fork server runs the program's main module, too
    if agent is None:
        raise RuntimeError("call remora.listen() or remora.connect() first: no client could come")
    return agent.wait(timeout_s)


def is_client_connected() -> bool:
    """Say whether a client has attached and set its breakpoints."""
    from remora.agent import join

    agent = join.current()
    return agent is not None and agent.is_ready()


def breakpoint() -> None:
    """Stop the calling thread here if a client is attached; else do nothing, at next to no cost."""
    import sys

    from remora.agent import join

    join.break_in(sys._getframe(1))


def debug_this_thread() -> None:
    """Do nothing: every thread is debugged, those that `threading` did not start too. Here for old code."""


def trace_this_thread(should_trace: bool) -> bool:
    """Say whether breakpoints and steps apply to the calling thread; return what was so before."""
    from remora.agent import join

    agent = join.current()
    return True if agent is None else agent.trace_thread(should_trace)


def configure(properties: dict[str, Any] | None = None, /, **options: Any) -> None:
    """Set options, as a dict or by name, in snake_case or camelCase. TypeError names a wrong one.

    python: the interpreter that runs the hub. just_my_code: default for clients that do not say.
    evaluate_timeout_s, watch_timeout_s, variables_timeout_s: limits, None for none.
    evaluate_warning_s: when to say that an evaluation takes long. sub_process: debug child processes.
    """
    from remora.agent import join

    join.settings.configure({**(properties or {}), **options})


def log_to(path: str) -> None:
    """Write remora's own log to a file, or into a folder that exists."""
    import os

    from remora.agent import log

    path = os.fspath(path)
    if os.path.isdir(path):
        path = os.path.join(path, f"remora-{os.getpid()}.log")
    log.open_log(path)


def stop() -> None:
    """Detach the client, close the port, and leave the process as if remora had never been there."""
    import sys

    if "remora.agent.join" in sys.modules:
        from remora.agent import join

        join.stop()
