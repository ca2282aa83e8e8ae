"""What the target's main thread runs; never imported, its text is the script, with `arrive({…})` behind it.

It runs between two instructions of the program, with a namespace of its own, and does next to nothing, so
that it is not felt: a new thread does the rest (inside.py). No exception leaves it.

It begins by renaming `armed` to `begun`: who waits outside gives up by taking `armed` away, and one of the
two comes first. A script that runs too late does nothing.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def arrive(start: "dict[str, Any]") -> None:
    import _thread
    import posix
    import sys

    try:
        posix.rename(start["folder"] + "/armed", start["folder"] + "/begun")
    except OSError:
        return

    def begin() -> None:
        try:
            import _io

            with _io.open_code(start["folder"] + "/inside.py") as file:
                code = compile(file.read(), "<remora>", "exec")
            names: dict[str, Any] = {"__name__": "remora inside"}
            exec(code, names)
        except FileNotFoundError:
            return  # it was given up, and the folder is gone
        except BaseException as error:
            posix.symlink(repr(error)[:200], start["folder"] + "/failed")
            return
        names["begin"](start)

    if sys.version_info < (3, 13) and _thread.get_native_id() == posix.getpid():
        import threading  # noqa: F401  its first import makes "the main thread"
    _thread.start_new_thread(begin, ())
