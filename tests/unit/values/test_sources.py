"""Names of frames, and where their text is."""

from __future__ import annotations

import importlib
import linecache
import sys
import zipfile

import pytest

from remora.engine import StackEntry
from remora.values import Inspector, StaleHandle


def describe(frame, inspector=None):
    inspector = inspector or Inspector()
    return inspector.describe_frame(StackEntry(frame, frame.f_lineno or 0, None, None, None, True))


def frame_in(source, filename, **namespace):
    """A frame of code compiled from `source`, which must call `here()`."""
    frames = []
    code = compile(source, filename, "exec")
    exec(code, {"here": lambda: frames.append(sys._getframe(1)), **namespace})
    return frames[0], code


def test_a_frame_in_a_file():
    class Shop:
        def total(self):
            return describe(sys._getframe())

    found = Shop().total()
    assert found.name.endswith("Shop.total")
    assert found.module_name == __name__
    assert found.source_path == __file__
    assert found.source_handle == 0
    assert found.source_name == "test_sources.py"


def test_module_code_is_called_module():
    frame, _ = frame_in("here()", "<nowhere>", __name__="made_up")
    found = describe(frame)
    assert (found.name, found.module_name, found.source_path) == ("<module>", "made_up", None)


def test_registered_text_also_of_nested_code():
    inspector = Inspector()
    text = "def f():\n    here()\nf()\n"
    frames = []
    code = compile(text, "<string>", "exec")
    inspector.register_source(code, text)
    exec(code, {"here": lambda: frames.append(sys._getframe(1))})
    found = describe(frames[0], inspector)
    assert inspector.source(found.source_handle) == text
    inspector.forget()
    assert inspector.source(found.source_handle) == text
    assert describe(frames[0], inspector).source_handle == found.source_handle


def test_two_texts_with_the_same_name_and_equal_code_are_kept_apart():
    inspector = Inspector()
    texts = ["here()", "here()  # the other"]
    found = []
    for text in texts:
        frame, code = frame_in(text, "<string>")
        inspector.register_source(code, text)
        found.append(inspector.source(describe(frame, inspector).source_handle))
    assert found == texts


def test_text_known_to_linecache():
    text = "x = 1\nhere()\n"
    linecache.cache["<cell 1>"] = (len(text), None, text.splitlines(keepends=True), "<cell 1>")
    try:
        inspector = Inspector()
        found = describe(frame_in(text, "<cell 1>")[0], inspector)
        assert inspector.source(found.source_handle) == text
    finally:
        del linecache.cache["<cell 1>"]


def test_a_module_in_a_zip_archive(tmp_path, monkeypatch):
    archive = tmp_path / "packed.zip"
    text = "import sys\ndef here():\n    return sys._getframe()\n"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("remora_zipped.py", text)
    monkeypatch.syspath_prepend(str(archive))
    module = importlib.import_module("remora_zipped")
    try:
        inspector = Inspector()
        found = describe(module.here(), inspector)
        assert found.source_path is None
        assert found.origin == "inside packed.zip"
        assert found.source_name == "remora_zipped.py"
        assert inspector.source(found.source_handle) == text
        assert describe(module.here(), inspector).source_handle == found.source_handle
    finally:
        del sys.modules["remora_zipped"]


def test_frozen_modules_have_their_files():
    import abc

    frames = []

    def collect(frame, event, argument):
        frames.append(frame)

    sys.setprofile(collect)
    try:
        abc.abstractmethod(lambda: None)
    finally:
        sys.setprofile(None)
    frame = next(f for f in frames if "abc" in f.f_code.co_filename)
    assert describe(frame).source_path.endswith("abc.py")


def test_code_without_any_text_is_shown_as_bytecode_on_its_lines():
    inspector = Inspector()
    frame, _ = frame_in("first = 1\n\n\nsecond = here()\n", "<string>")
    found = describe(frame, inspector)
    assert found.origin.startswith("bytecode")
    lines = inspector.source(found.source_handle).splitlines()
    assert "STORE_NAME first" in lines[0]
    assert "STORE_NAME second" in lines[3]
    assert "not known" in lines[0]


def test_a_file_that_is_gone():
    frame, _ = frame_in("here()", "/no/such/dir/program.py")
    found = describe(frame)
    assert found.source_path is None
    assert found.source_name == "program.py"


def test_a_file_that_is_written_later(tmp_path):
    path = tmp_path / "later.py"
    inspector = Inspector()
    frame, _ = frame_in("here()", str(path))
    assert describe(frame, inspector).source_path is None
    path.write_text("here()")
    assert describe(frame, inspector).source_path == str(path)


def test_an_unknown_source_is_refused():
    with pytest.raises(StaleHandle):
        Inspector().source(1)
    with pytest.raises(StaleHandle):
        Inspector().source(0)


def test_a_loader_that_fails():
    class Loader:
        def get_source(self, name):
            raise OSError

    inspector = Inspector()
    frame, _ = frame_in("here()", "/no/such.zip/m.py", __loader__=Loader(), __name__="m")
    assert "not known" in inspector.source(describe(frame, inspector).source_handle)
