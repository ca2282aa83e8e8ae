"""How agent and hub find each other: the first event, and the environment variables.

Both sides import this module, so that neither can drift. Values only: who opens which socket is theirs.
Secrets travel in these variables, never in argv. Whoever reads REMORA_SESSION or REMORA_HUB removes it from
the environment at once, so that the program's own children do not inherit it.

* `REMORA_SESSION` (JSON, `SessionStart`): the hub starts a debuggee as `python <package>/agent/boot.py`
  with this in its environment. The agent dials `address`, says hello, and runs `run`. A terminal may show
  what it is told to start: there the variable is `@` and the name of a file that holds the JSON.
* `REMORA_FAMILY` (JSON, `Family`): stays in the environment, for every descendant; see
  docs/design/processes.md.
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
        """What the debuggee runs; `args` become sys.argv[1:]. None: a shell has made them, and they stand
        behind the entry in the command line.
        """

        kind: Literal["program", "module", "code"]
        value: str
        args: list[str] | None

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
        # What its children inherit; absent: they are not debugged.
        family: NotRequired[Family]

    class Family(TypedDict):
        """Content of `REMORA_FAMILY`: how a descendant finds the hub."""

        address: Address
        secret: str
        # Nearest debugged ancestor: the process that has put this there.
        parent: int
        # Device and inode of the pipes the hub reads: what goes there is not mirrored.
        captured: NotRequired[list[list[int]]]
        # Host and port that clients of the family attach at, where its root listens or has dialled one.
        listening: NotRequired[tuple[str, int]]
        # Name of a file for the agents' own log.
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
        # Descriptor of the listening Unix socket of the family, and the secret of its members.
        family: NotRequired[int]
        familySecret: NotRequired[str]

    class Hello(TypedDict):
        """Body of the agent's first event."""

        secret: str
        pid: int
        name: str
        executable: str
        argv: list[str]
        version: str
        startMethod: Literal["listen", "connect", "launch", "child", "attach"]
        # True when the program waits (wait_for_client, launch) and runs no line of its own yet.
        waiting: bool
        # Where it was started: what a relative remoteRoot means.
        cwd: NotRequired[str]
        # Of a child: its nearest debugged ancestor; its own id after an exec, and of a sub-interpreter.
        parent: NotRequired[int]
        # Of a sub-interpreter: its number, not 0. The main one's session has the same pid.
        interpreter: NotRequired[int]


HELLO = "remoraHello"
# Hub to a held child: nobody attaches now, run on.
GO = "remoraGo"
# Hub to a held child: a client has been told; that may take a while.
HOLD = "remoraHold"
# In the body of an agent's `terminated`: it has just started a process, whose hello may be on its way.
STARTING = "remoraStarting"
# In the same place: the agent has left, and its process lives on (`remora.stop()`).
STAYS = "remoraStays"
SESSION_VARIABLE = "REMORA_SESSION"
HUB_VARIABLE = "REMORA_HUB"
FAMILY_VARIABLE = "REMORA_FAMILY"
# For boot.py, from the agent that starts a Python which ignores PYTHONPATH: agent/command_line.py.
CHILD_VARIABLE = "REMORA_CHILD"

# Paths of the two entries, relative to the folder of the package `remora`.
AGENT_ENTRY = ("agent", "boot.py")
HUB_ENTRY = ("hub", "boot.py")
# The folder that PYTHONPATH of a child begins with.
INHERIT_FOLDER = ("agent", "inherit")


def family_name(uid: int, pid: int) -> str:
    """Return the beginning of the abstract Unix socket name of the family whose root is `pid`.

    A random end follows, since an id may come again; who looks for it reads /proc/net/unix.
    """
    return f"\0remora-{uid}-{pid}-"
