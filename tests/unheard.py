"""A signal that comes when nobody listens: after the last look at signals, before the thread sleeps.

That moment cannot be hit at will, but another thread of the process can take the signal while the main one
sleeps: it is noted in the same way, and ends nobody's sleep in the same way.
"""

from __future__ import annotations

import signal
import sys
import threading
import time

_LOOKS = 10  # a thread that is seen so often at one bytecode, a millisecond apart, sleeps there


def strike_the_sleeping_main_thread(number: signal.Signals = signal.SIGINT) -> None:
    """Wait until the main thread sleeps, then take the signal on this thread."""
    main = threading.main_thread().ident
    assert main is not None
    before, looks = None, 0
    deadline = time.monotonic() + 10
    while looks < _LOOKS and time.monotonic() < deadline:
        time.sleep(0.001)
        frame = sys._current_frames()[main]
        now = (frame, frame.f_lasti)
        looks = looks + 1 if now == before else 0
        before = now
    signal.pthread_kill(threading.get_ident(), number)
