"""Symbols of an ELF file: where its functions and constants lie, read from the dynamic symbol table.

Only what a running process needs to have, the dynamic section, is read: it is there in a stripped file too.
A name is looked up through the GNU hash table, in microseconds; a file without one is searched in order.
Offsets are relative to the file's first loaded address: add where the file was mapped.
Source: ELF gABI; glibc `elf/dl-lookup.c` for DT_GNU_HASH.
"""

from __future__ import annotations

import mmap
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_HASH, _DT_STRTAB, _DT_SYMTAB, _DT_GNU_HASH = 4, 5, 6, 0x6FFFFEF5
_HEADER = struct.Struct("<16xHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_PAIR = struct.Struct("<qQ")


class NotElf(Exception):
    """The file is none we can read: args[0] says why."""


class Image:
    """An ELF file, open; a context manager."""

    def __init__(self, path: str) -> None:
        """OSError, NotElf."""
        with open(path, "rb") as file:
            try:
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError:
                raise NotElf("it is empty") from None
        try:
            self._read()
        except (struct.error, IndexError):
            self._data.close()
            raise NotElf("it is cut off") from None
        except BaseException:
            self._data.close()
            raise

    def _read(self) -> None:
        data = self._data
        if data[:4] != b"\x7fELF":
            raise NotElf("it is no ELF file")
        if data[4:6] != b"\x02\x01":
            raise NotElf("it is not a 64-bit little-endian file")
        _, self.machine, _, _, table, _, _, _, size, count, _, _, _ = _HEADER.unpack_from(data)
        self._loads: list[tuple[int, int, int]] = []  # address, size in the file, offset in the file
        self._dynamic: dict[int, int] = {}
        dynamic = None
        for number in range(count):
            kind, _, offset, address, _, in_file, _, _ = _SEGMENT.unpack_from(data, table + number * size)
            if kind == _PT_LOAD:
                self._loads.append((address, in_file, offset))
            elif kind == _PT_DYNAMIC:
                dynamic = offset, in_file
        self.base = self._loads[0][0] - self._loads[0][2] if self._loads else 0
        if dynamic is not None:
            for at in range(dynamic[0], dynamic[0] + dynamic[1], _PAIR.size):
                tag, value = _PAIR.unpack_from(data, at)
                if tag == 0:
                    break
                self._dynamic.setdefault(tag, value)

    def __enter__(self) -> Image:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._data.close()

    def offset_of(self, name: str) -> int | None:
        """Return where `name` is defined, counted from the first byte that is mapped; None if it is not."""
        extent = self.extent_of(name)
        return None if extent is None else extent[0]

    def extent_of(self, name: str) -> tuple[int, int] | None:
        """Return offset and size of what is called `name`; None if that is not defined here."""
        try:
            found = self._symbol(name.encode())
        except (struct.error, IndexError):
            return None
        return None if found is None else (found[0] - self.base, found[1])

    def read(self, offset: int, size: int) -> bytes:
        """Return initialized data of the file at an offset as `offset_of` gives it."""
        place = self._in_file(offset + self.base)
        return b"" if place is None else self._data[place : place + size]

    def _in_file(self, address: int) -> int | None:
        for start, size, offset in self._loads:
            if start <= address < start + size:
                return offset + address - start
        return None

    def _table(self, tag: int) -> int | None:
        address = self._dynamic.get(tag)
        return None if address is None else self._in_file(address)

    def _symbol(self, name: bytes) -> tuple[int, int] | None:
        symbols, strings = self._table(_DT_SYMTAB), self._table(_DT_STRTAB)
        if symbols is None or strings is None:
            return None
        data = self._data
        wanted = name + b"\0"
        for number in self._candidates(name):
            text, _, _, section, value, size = _SYMBOL.unpack_from(data, symbols + number * _SYMBOL.size)
            if section != 0 and data[strings + text : strings + text + len(wanted)] == wanted:
                return value, size
        return None

    def _candidates(self, name: bytes) -> list[int]:
        """Return the numbers of the symbols that may be it."""
        table = self._table(_DT_GNU_HASH)
        data = self._data
        if table is None:
            old = self._table(_DT_HASH)
            # Its second word is the number of symbols.
            return [] if old is None else list(range(struct.unpack_from("<II", data, old)[1]))
        buckets, first, words, _ = struct.unpack_from("<IIII", data, table)
        start = table + 16 + words * 8
        chain = start + buckets * 4
        wanted = _gnu_hash(name)
        number: int = struct.unpack_from("<I", data, start + wanted % buckets * 4)[0]
        found: list[int] = []
        while number >= first:
            value: int = struct.unpack_from("<I", data, chain + (number - first) * 4)[0]
            if value | 1 == wanted | 1:
                found.append(number)
            if value & 1:
                break
            number += 1
        return found


def _gnu_hash(name: bytes) -> int:
    value = 5381
    for byte in name:
        value = (value * 33 + byte) & 0xFFFFFFFF
    return value
