"""Start the hub that `listen()` hands its sockets to.

The hub is nobody's child: a shell starts it in the background and is gone at once, so that a program which
waits for its children never meets it; it has its own session and no standard streams, so that no terminal or
pipe stays open on its account. The secret travels in its environment. Any thread.
"""

from __future__ import annotations

import _socket
import os
import sys

from remora.agent.log import log
from remora.dap import json_text
from remora.dap.hello import FAMILY_VARIABLE, HUB_ENTRY, HUB_VARIABLE, SESSION_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from remora.agent.settings import Settings
    from remora.dap.hello import HubStart

# What gevent puts into `os` waits for its event loop; what it is made from stays where it was.
_system: Any = sys.modules.get("posix", os)


def start_hub(
    listeners: list[_socket.socket],
    token: str | None,
    settings: Settings,
    members: _socket.socket | None = None,
    family_secret: str = "",
) -> tuple[_socket.socket, str]:
    """Start a hub that owns the listeners; return our end of its agent connection, and the secret.

    `members` is the listening socket of the family, and `family_secret` what members show there.
    """
    python = settings.python or sys.executable
    if not python:
        raise RuntimeError(
            "there is no Python interpreter to run the hub with (sys.executable is empty): name one with "
            "remora.configure(python=...), or use listen(..., in_process=True)"
        )
    secret = os.urandom(16).hex()
    ours, theirs = _socket.socketpair()
    passed = [theirs.fileno(), *(listener.fileno() for listener in listeners)]
    numbers = list(range(3, 3 + len(passed)))
    start: HubStart = {"listeners": numbers[1:], "agent": numbers[0], "secret": secret, "token": token}
    if members is not None:
        start["family"] = 3 + len(passed)
        start["familySecret"] = family_secret
        passed.append(members.fileno())
        numbers.append(start["family"])
    environment = dict(os.environ)
    for name in (SESSION_VARIABLE, FAMILY_VARIABLE):
        environment.pop(name, None)
    environment[HUB_VARIABLE] = json_text.encode(start)
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    entry = os.path.join(package, *HUB_ENTRY)
    actions: list[Any] = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
    # In two steps, the first out of the way of the second: a descriptor may have another's new number.
    spare = max(*passed, *numbers) + 1
    actions += [(os.POSIX_SPAWN_DUP2, fd, spare + at) for at, fd in enumerate(passed)]
    actions += [(os.POSIX_SPAWN_DUP2, spare + at, number) for at, number in enumerate(numbers)]
    actions += [(os.POSIX_SPAWN_CLOSE, spare + at) for at in range(len(passed))]
    command = [python, "-I", "-S", entry]
    try:
        _spawn_orphan(command, environment, actions)
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return ours, secret


def _spawn_orphan(command: list[str], environment: dict[str, str], actions: list[Any]) -> None:
    shell = "/bin/sh"
    if os.path.exists(shell):
        pid = _spawn([shell, "-c", '"$@" &', shell, *command], environment, actions)
        try:
            _system.waitpid(pid, 0)
        except ChildProcessError:
            log("the program ignores SIGCHLD, so the kernel has reaped the shell")
    else:
        _spawn(command, environment, actions)  # a child of ours then, which is reaped when we end


def _spawn(command: list[str], environment: dict[str, str], actions: list[Any]) -> int:
    try:
        return _system.posix_spawn(  # type: ignore[no-any-return]
            command[0], command, environment, file_actions=actions, setsid=True, setsigmask=()
        )
    except NotImplementedError:  # an old C library: the hub makes its session itself
        return _system.posix_spawn(  # type: ignore[no-any-return]
            command[0], command, environment, file_actions=actions, setsigmask=()
        )
