"""How soon the agent gets its turn among threads that compute.

A thread that waits for the GIL gets it after one switch interval (5 ms unless the program says otherwise),
and every system call of the agent gives it away again: reading a request and answering it in a program that
computes took two or three intervals, 6 to 18 ms measured for a pause. So the interval is

* 2 ms while a client is attached (500 switches a second at most: not measurable, and gone at detach);
* 0.1 ms while the agent handles a request.

A program that has set a shorter interval keeps it, and one that sets it while we are attached is not
overruled. On free-threaded builds the interval means nothing; setting it does no harm.
"""

from __future__ import annotations

import sys

ATTACHED_S = 0.002
SERVING_S = 0.0001


class Turns:
    """The switch interval: the program's, or a shorter one of ours. On the agent thread.

    `with turns:` while a request is handled (not reentrant).
    """

    __slots__ = ("_attached", "_ours", "_programs", "_serving")

    def __init__(self) -> None:
        self._attached = False
        self._serving = False
        self._programs = 0.0  # what we have replaced
        self._ours: float | None = None  # what we have set, as CPython rounds it; None: nothing

    def attached(self, attached: bool) -> None:
        """Say whether a client is attached."""
        self._attached = attached
        self._apply()

    def __enter__(self) -> None:
        self._serving = True
        self._apply()

    def __exit__(self, *exc_info: object) -> None:
        self._serving = False
        self._apply()

    def _apply(self) -> None:
        now_s = sys.getswitchinterval()
        programs_s = self._programs if now_s == self._ours else now_s
        wanted_s = SERVING_S if self._serving else ATTACHED_S if self._attached else programs_s
        if wanted_s < programs_s:
            self._programs = programs_s
            sys.setswitchinterval(wanted_s)
            self._ours = sys.getswitchinterval()
        else:
            self._ours = None
            if now_s != programs_s:
                sys.setswitchinterval(programs_s)
