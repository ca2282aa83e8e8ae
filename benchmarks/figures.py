"""What is measured: a figure is one line of the table, with samples of every contender and a target."""

from __future__ import annotations

import enum
import math
import statistics
from collections.abc import Sequence


class Contender(enum.Enum):
    BARE = "no debugger"
    DEBUGPY = "debugpy"
    PDB = "pdb"
    REMORA = "remora"


class Figure:
    """One line: `what`, its unit, and the samples, one for each round and contender.

    `at_most` or `at_least` is the target for the median of remora's samples.
    """

    def __init__(
        self,
        what: str,
        unit: str,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
        note: str = "",
    ) -> None:
        self.what = what
        self.unit = unit
        self.at_most = at_most
        self.at_least = at_least
        self.note = note
        self.samples: dict[Contender, list[float]] = {}
        self.failures: dict[Contender, str] = {}

    def add(self, contender: Contender, value: float) -> None:
        self.samples.setdefault(contender, []).append(value)

    def median(self, contender: Contender) -> float:
        return statistics.median(self.samples.get(contender) or [math.nan])

    @property
    def target(self) -> str:
        if self.at_most is not None:
            return f"≤ {number(self.at_most)} {self.unit}"
        if self.at_least is not None:
            return f"≥ {number(self.at_least)} {self.unit}"
        return ""

    @property
    def ok(self) -> bool | None:
        """Is remora within the target? None: there is no target."""
        measured = self.median(Contender.REMORA)
        if self.at_most is not None:
            return measured <= self.at_most
        if self.at_least is not None:
            return measured >= self.at_least
        return None

    def text(self, contender: Contender) -> str:
        """Median, and the range in brackets if there is one."""
        if contender in self.failures:
            return self.failures[contender]
        values = self.samples.get(contender)
        if not values:
            return "–"
        text = number(statistics.median(values))
        if len(values) > 1:
            text += f" ({number(min(values))}–{number(max(values))})"
        return text


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if math.isnan(value):
        return "–"
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{round(value, digits):,.{min(digits, 3)}f}"


def ratio_figure(
    what: str, times_s: dict[Contender, Sequence[float]], at_most: float, note: str = ""
) -> Figure:
    """Make a figure of ratios to no debugger, round by round: neighbours in time share the noise."""
    figure = Figure(what, "×", at_most=at_most, note=note)
    bare = times_s[Contender.BARE]
    for contender, times in times_s.items():
        if contender is not Contender.BARE:
            for time_s, bare_s in zip(times, bare, strict=False):
                figure.add(contender, time_s / bare_s)
    return figure
