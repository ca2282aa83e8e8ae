"""The package as one file, for a target that computes.

A module is loaded with half a dozen system calls, and after each of them the thread that loads waits for
its turn with the interpreter: beside threads that compute, that is most of the time an attach takes. So the
target reads all modules at once, compiled if Python has left compiled ones beside them, and loads them from
memory (inside.py).

It is also all there is of the package where the target cannot read our folder (a container, another user).

Format: marshal, version 2, of {name: (path in the package, is a package, compiled, source)}; what is not
there is empty.
"""

from __future__ import annotations

import marshal
import os

LAYERS = ("agent", "dap", "engine", "values")
_HEADER_BYTES = 16


def bundle(package: str, tag: str, *, with_sources: bool) -> bytes:
    """Pack the layers of the debuggee in the folder `package`; `tag` is the interpreter's, as in cpython-313.

    Sources are packed where there is nothing compiled, or for all: for an interpreter that wants them itself.
    """
    paths = ["__init__.py"]
    for layer in LAYERS:
        for folder, folders, files in os.walk(os.path.join(package, layer)):
            folders[:] = [name for name in folders if name not in ("__pycache__", "inherit")]
            paths += [
                os.path.relpath(os.path.join(folder, file), package)
                for file in files
                if file.endswith(".py") and file != "boot.py"
            ]
    modules: dict[str, tuple[str, bool, bytes, bytes]] = {}
    for path in paths:
        words = ["remora", *path.removesuffix(".py").split(os.sep)]
        is_package = words[-1] == "__init__"
        if is_package:
            words.pop()
        full = os.path.join(package, path)
        compiled = _compiled(full, tag)
        source = b""
        if with_sources or not compiled:
            with open(full, "rb") as file:
                source = file.read()
        modules[".".join(words)] = (path, is_package, compiled, source)
    return marshal.dumps(modules, 2)


def _compiled(path: str, tag: str) -> bytes:
    """Return what Python has compiled of a file, if it is of the file as it is now; else nothing."""
    folder, name = os.path.split(path)
    try:
        with open(os.path.join(folder, "__pycache__", f"{name.removesuffix('.py')}.{tag}.pyc"), "rb") as file:
            data = file.read()
        status = os.stat(path)
    except OSError:
        return b""
    flags, written, size = (int.from_bytes(data[at : at + 4], "little") for at in (4, 8, 12))
    if len(data) <= _HEADER_BYTES or flags != 0:
        return b""
    if (written, size) != (int(status.st_mtime) & 0xFFFFFFFF, status.st_size & 0xFFFFFFFF):
        return b""
    return data
