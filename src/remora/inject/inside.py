"""What a new thread in the target runs: never imported, it is read and run by go.py.

It loads the package and hands over to `remora.agent.arrival`. Nothing of the program's is used that the
program could have replaced, where that can be helped; what goes wrong is said in the folder (see `place`).
"""

import _thread
import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HURRY_S = 0.00005


def begin(start: "dict[str, Any]") -> None:
    try:
        with _Hurry(), _Guard(start):
            if "threading" not in sys.modules:
                _import_threading()
            if start.get("unblock"):
                _listen_to_signals()
            _load_package(start["package"])
            from remora.agent import arrival

            arrival.load()
        result = arrival.arrive(start)
        if result is not None:
            _say(start, result)
    except BaseException as error:
        _say(start, {"failed": _describe(error)})


def _listen_to_signals() -> None:
    """Undo what the thread that started us was given: what it starts (a hub) would not hear a SIGTERM."""
    import signal

    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _import_threading() -> None:
    """Import it on a thread that is not the main one, and mend what it then takes for the main thread."""
    import threading as module

    if sys.version_info >= (3, 13):
        return  # it asks the interpreter which thread that is
    threading: Any = module
    main = threading._main_thread
    with threading._active_limbo_lock:
        threading._active.pop(main._ident, None)
        main._ident = start_ident = _main_ident()
        main._native_id = posix.getpid()
        threading._active[start_ident] = main
    # What `threading._shutdown` waits for: a lock that the main thread's own end would release.
    with threading._shutdown_locks_lock:
        threading._shutdown_locks.discard(main._tstate_lock)
        main._tstate_lock = _thread.allocate_lock()
        main._tstate_lock.acquire()
        threading._shutdown_locks.add(main._tstate_lock)


def _main_ident() -> int:
    """Return the identity of the main thread: the one whose outermost frame is the oldest known."""
    frames = sys._current_frames()
    own = _thread.get_ident()
    others = [ident for ident in frames if ident != own]
    # Without `threading` there can be more than one only if the program uses `_thread` itself.
    return others[-1] if others else own


class _Hurry:
    """While it holds, this thread gets its turn soon beside one that computes.

    Loading makes hundreds of system calls, after each of which the interpreter lock has to be waited for: 5
    ms each time, unless the switch interval is shorter.
    """

    def __enter__(self) -> None:
        self.programs_s = sys.getswitchinterval()
        self.ours_s = 0.0
        if self.programs_s > HURRY_S:
            sys.setswitchinterval(HURRY_S)
            self.ours_s = sys.getswitchinterval()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if self.ours_s and sys.getswitchinterval() == self.ours_s:
            sys.setswitchinterval(self.programs_s)


class _Guard:
    """While it holds, what this thread imports comes from the standard library and from remora only.

    A file of the program's may be called like a module of the standard library, and may be further ahead.
    """

    def __init__(self, start: "dict[str, Any]") -> None:
        self.package: str = start["package"]
        self.is_all: bool = start["carried"]
        self.file: str = start["folder"] + "/package"
        self.modules: dict[str, Any] = {}
        self.ident = _thread.get_ident()
        self.folders: list[str] = []

    def __enter__(self) -> None:
        import os

        library = os.path.dirname(os.__file__)
        self.folders = [
            folder
            for folder in sys.path
            if folder == library or folder.startswith(library + "/lib-dynload") or folder.endswith(".zip")
        ]
        self.ident = _thread.get_ident()
        if "remora.agent.arrival" not in sys.modules:
            self.modules = _read_modules(self.file)
        sys.meta_path.insert(0, self)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        sys.meta_path.remove(self)
        if self.is_all and self.modules:
            # There are no files: what is imported later is here too. Last, and for nothing but remora's.
            self.ident = 0
            sys.meta_path.append(self)

    def find_spec(self, name: str, path: object = None, target: object = None) -> "Any":
        if self.ident == 0:
            if name not in self.modules:
                return None
        elif _thread.get_ident() != self.ident or name in sys.builtin_module_names:
            return None
        import _frozen_importlib_external as external

        if name in self.modules:
            return self._ready(name, external)
        return external.PathFinder.find_spec(name, self.folders) if path is None else None

    def _ready(self, name: str, external: "Any") -> "Any":
        """Make the spec of a module that is in memory; all else about it is as if it came from its file."""
        path, is_package, compiled, source = self.modules[name]
        path = self.package + "/remora/" + path

        class Loader(external.SourceFileLoader):  # type: ignore[misc]
            def get_code(self, name: str) -> "Any":
                if not compiled:
                    return self.source_to_code(source, path)
                import marshal

                return marshal.loads(memoryview(compiled)[16:])

        places = [path.rpartition("/")[0]] if is_package else None
        loader = Loader(name, path)
        return external.spec_from_file_location(name, path, loader=loader, submodule_search_locations=places)


def _read_modules(file: str) -> "dict[str, Any]":
    """Read what `bundle` has packed; without what is compiled for another Python than this."""
    import _frozen_importlib_external as external
    import _io
    import marshal

    with _io.open_code(file) as stream:
        modules: dict[str, Any] = marshal.loads(stream.read())
    magic = external.MAGIC_NUMBER
    is_plain = sys.flags.optimize == 0
    found = {}
    for name, (path, is_package, compiled, source) in modules.items():
        if is_plain and compiled[:4] == magic:
            found[name] = path, is_package, compiled, b""
        elif source:
            found[name] = path, is_package, b"", source
    return found


def _load_package(root: str) -> None:
    """Have `remora` from `root`, or as it was loaded before."""
    import _frozen_importlib
    import _frozen_importlib_external

    package = sys.modules.get("remora")
    if package is not None:
        if not hasattr(package, "__path__") or not hasattr(package, "listen"):
            raise ImportError("the program has a module of its own that is called remora")
        return
    # In memory (_Guard), or in its folder.
    spec = sys.meta_path[0].find_spec("remora", None)
    if spec is None or "remora" not in (spec.origin or ""):
        spec = _frozen_importlib_external.PathFinder.find_spec("remora", [root])
    if spec is None or spec.loader is None:
        raise ImportError("the process cannot read the package in " + root)
    package = _frozen_importlib.module_from_spec(spec)
    sys.modules["remora"] = package
    try:
        spec.loader.exec_module(package)
    except BaseException:
        del sys.modules["remora"]
        raise


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _say(start: "dict[str, Any]", result: "dict[str, Any]") -> None:
    """Leave word in the folder, for who waits outside.

    Without `json`: a file of the program may be called so.
    """
    try:
        text = "{" + ", ".join(_json(name) + ": " + _json(value) for name, value in result.items()) + "}"
        fd = posix.open(start["folder"] + "/saying", posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC, 0o600)
        try:
            posix.write(fd, text.encode())
        finally:
            posix.close(fd)
        posix.rename(start["folder"] + "/saying", start["folder"] + "/said")
    except OSError:
        return  # nobody waits any more


def _json(value: object) -> str:
    """Write a number, a text or a list of these."""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_json, value)) + "]"
    plain = (char if " " <= char <= "~" and char not in '"\\' else f"\\u{min(ord(char), 0xFFFF):04x}"
             for char in str(value))  # fmt: skip
    return '"' + "".join(plain) + '"'
