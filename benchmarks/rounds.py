"""Take samples in turns: round by round, every contender once, so that all share the machine's moods."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from benchmarks.figures import Contender, Figure

# debugpy now and then closes a connection that comes early; that is not what is measured.
ATTEMPTS = 3


class Run:
    """How long to measure, and whom."""

    def __init__(self, *, rounds: int, quick: bool, contenders: frozenset[Contender]) -> None:
        self.rounds = rounds
        self.quick = quick
        self.contenders = contenders

    def take[T](
        self,
        measures: Mapping[Contender, Callable[[], T]],
        *,
        rounds: int | None = None,
        once: frozenset[Contender] = frozenset(),
    ) -> tuple[dict[Contender, list[T]], dict[Contender, str]]:
        """Call each contender's measure once a round; `once`: those too slow for more than one.

        A contender that fails ATTEMPTS times is left out from then on; the second dict says so.
        """
        samples: dict[Contender, list[T]] = {}
        failures: dict[Contender, str] = {}
        for number in range(rounds or (2 if self.quick else self.rounds)):
            for contender, measure in measures.items():
                if contender not in self.contenders or contender in failures:
                    continue
                if number and contender in once:
                    continue
                for attempt in range(ATTEMPTS):
                    try:
                        samples.setdefault(contender, []).append(measure())
                        break
                    except Exception as error:
                        print(f"  {contender.value} failed: {type(error).__name__}: {error}", file=sys.stderr)
                        if attempt == ATTEMPTS - 1:
                            failures[contender] = "failed"
        return samples, failures


def fill(
    figure: Figure, samples: Mapping[Contender, list[float]], failures: Mapping[Contender, str]
) -> Figure:
    for contender, values in samples.items():
        for value in values:
            figure.add(contender, value)
    figure.failures.update(failures)
    return figure
