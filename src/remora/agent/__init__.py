"""The debuggee's side: a DAP session over a stream.

A program may replace threads, locks and sleeping by its own (gevent, eventlet). A debugger whose thread is a
greenlet of the thread that stands would stand with it. So our modules keep the real ones from when they are
imported; and those that are imported after the program has done it get them all the same (`unpatched`).
"""

from __future__ import annotations

import _thread


def import_unpatched() -> None:
    """If the program has patched `_thread`, import now what we may need later, as if it had not."""
    if type(_thread.start_new_thread).__name__ != "builtin_function_or_method":
        from remora.agent.unpatched import import_all

        import_all()


import_unpatched()
