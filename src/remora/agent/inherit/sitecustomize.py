"""The door by which a child of a debugged program joins: Python imports it before the program's first line.

It takes its folder off sys.path and lets the `sitecustomize` that Python would have found take its place,
errors included. Then it joins (remora/agent/member.py). Whatever goes wrong here costs the debugging, never
the program.

Any Python may read this, an old one too: the folder is in the PYTHONPATH of all that the program starts.
"""
# mypy: ignore-errors

import os
import sys

NAME = "sitecustomize"


def _real():
    # Where our own entry was, nothing is left; what Python imports now is what it would have imported.
    ours = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if entry != ours]
    sys.path_importer_cache.pop(ours, None)
    sys.modules.pop(NAME, None)
    __import__(NAME)


def _join():
    if sys.version_info < (3, 12) or sys.implementation.name != "cpython":
        return
    if "REMORA_SESSION" in os.environ or "REMORA_FAMILY" not in os.environ:
        return  # launched by a hub: boot.py is next
    path, before = sys.path[:], set(sys.modules)
    try:
        import _frozen_importlib
        import _frozen_importlib_external

        agent = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        root = os.path.dirname(os.path.dirname(agent))
        spec = _frozen_importlib_external.PathFinder.find_spec("remora", [root])
        module = _frozen_importlib.module_from_spec(spec)
        sys.modules["remora"] = module
        # PYTHONPATH may lead to a warnings.py, which is the program's and not for us.
        library = os.path.dirname(os.__file__)
        sys.path[:] = [each for each in path if each.startswith(library + os.sep + "lib-") or each == library]
        spec.loader.exec_module(module)
        from remora.agent import member

        member.start(path, before)
    except KeyboardInterrupt:
        # As a Python that has not begun its program: no handler of that has been set yet.
        import _signal

        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
        os.kill(os.getpid(), _signal.SIGINT)
    except Exception:
        if not any(name.startswith("remora.agent.join") for name in sys.modules):
            for name in set(sys.modules) - before:
                if name.partition(".")[0] == "remora":
                    del sys.modules[name]
    finally:
        sys.path[:] = path


_ourselves = sys.modules[NAME]  # Python 2 would empty our names when nobody holds us
try:
    _real()
finally:
    _join()
