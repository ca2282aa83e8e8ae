"""Symbols are where the dynamic linker puts them."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import pytest

from remora.inject.elf import Image, NotElf
from remora.inject.processes import Mapped

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads ELF files and /proc")


def own_files() -> list[Mapped]:
    from remora.inject.processes import _mapped

    return _mapped(__import__("os").getpid())


def found_in_process(name: str) -> int | None:
    for file in own_files():
        try:
            with Image(file.path) as image:
                offset = image.offset_of(name)
        except (OSError, NotElf):
            continue
        if offset is not None:
            return file.address + offset
    return None


@pytest.mark.parametrize("name", ["PyRun_SimpleString", "Py_AddPendingCall", "PyGILState_Ensure"])
def test_functions_of_python_are_found(name: str) -> None:
    function = getattr(ctypes.pythonapi, name)
    assert found_in_process(name) == ctypes.cast(function, ctypes.c_void_p).value


@pytest.mark.parametrize("name", ["pthread_create", "munmap"])
def test_functions_of_libc_are_found(name: str) -> None:
    function = getattr(ctypes.CDLL(None), name)
    assert found_in_process(name) == ctypes.cast(function, ctypes.c_void_p).value


def test_constants_are_read_from_the_file() -> None:
    versions = []
    for file in own_files():
        try:
            with Image(file.path) as image:
                extent = image.extent_of("Py_Version")
                if extent is not None:
                    versions.append(int.from_bytes(image.read(extent[0], extent[1]), "little"))
        except (OSError, NotElf):
            continue
    assert versions == [sys.hexversion]


def test_what_is_not_there_is_not_found() -> None:
    with Image(own_files()[0].path) as image:
        assert image.offset_of("no_such_function_anywhere") is None
        assert image.read(1 << 40, 8) == b""


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"#!/bin/sh\necho\n", "no ELF"),
        (b"\x7fELF\x01\x01" + bytes(100), "64-bit"),
        (b"\x7fELF\x02\x01" + bytes(20), "cut off"),
    ],
)
def test_other_files_are_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(NotElf, match=reason):
        Image(str(path))


def test_every_cut_of_a_real_file_is_refused_or_empty(tmp_path: Path) -> None:
    whole = Path("/proc/self/exe").read_bytes()
    path = tmp_path / "cut"
    for size in (63, 64, 120, 400, 4096, len(whole) // 2):
        path.write_bytes(whole[:size])
        try:
            with Image(str(path)) as image:
                image.offset_of("Py_Version")  # found or not: it does not fail
        except NotElf:
            continue
