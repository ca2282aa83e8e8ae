"""How agent and hub find each other: the first event, and the two environment variables.

Both sides import this module, so that neither can drift. Values only: who opens which socket is theirs.
Secrets travel in these variables, never in argv, and whoever reads a variable removes it from the
environment at once, so that the program's own children do not inherit it.

* `REMORA_SESSION` (JSON, `SessionStart`): the hub starts a debuggee as `python <package>/agent/boot.py`
  with this in its environment. The agent dials `address`, says hello, and runs `run`.
* `REMORA_HUB` (JSON, `HubStart`): `remora.listen()` starts a hub as `python -I -S <package>/hub/boot.py`
  with this in its environment and the descriptors it names inherited.
* The first message of an agent on any connection is the event `remoraHello` (`Hello`); whatever else
  comes first is a client. From then on the agent is a DAP server to the hub.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, NotRequired, TypedDict

    class Address(TypedDict):
        """Where the hub is: exactly one of `fd` (inherited, connected), `unix`, or `host` with `port`."""

        fd: NotRequired[int]
        unix: NotRequired[str]
        host: NotRequired[str]
        port: NotRequired[int]

    class Target(TypedDict):
        """What the debuggee runs; `args` become sys.argv[1:]."""

        kind: Literal["program", "module", "code"]
        value: str
        args: list[str]

    class SessionStart(TypedDict):
        """Content of `REMORA_SESSION`."""

        address: Address
        secret: str
        run: Target
        # Hold the program's first line until configurationDone (True unless given: a launch).
        wait: NotRequired[bool]
        # The hub reads the program's stdout and stderr itself: the agent must not mirror them.
        capturesOutput: NotRequired[bool]
        # Name of a file for the agent's own log.
        log: NotRequired[str]

    class HubStart(TypedDict):
        """Content of `REMORA_HUB`. The descriptors are inherited; sockets listen or are connected already."""

        listeners: list[int]
        agent: int
        # The agent on `agent` is proven by the descriptor; its hello carries this all the same.
        secret: str
        # What clients must show; None: loopback clients of the same user need none.
        token: str | None
        log: NotRequired[str | None]

    class Hello(TypedDict):
        """Body of the agent's first event."""

        secret: str
        pid: int
        name: str
        executable: str
        argv: list[str]
        version: str
        startMethod: Literal["listen", "connect", "launch"]
        # True when the program waits (wait_for_client, launch) and runs no line of its own yet.
        waiting: bool
        # Where it was started: what a relative remoteRoot means.
        cwd: NotRequired[str]


HELLO = "remoraHello"
SESSION_VARIABLE = "REMORA_SESSION"
HUB_VARIABLE = "REMORA_HUB"

# Paths of the two entries, relative to the folder of the package `remora`.
AGENT_ENTRY = ("agent", "boot.py")
HUB_ENTRY = ("hub", "boot.py")
