"""What a line of an order costs."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from model import Line

CENT = Decimal("0.01")
# Ten of the same article are ten per cent cheaper, and nobody gets more than 30 per cent off.
RATE_PER_TEN = Decimal("0.10")
HIGHEST_RATE = Decimal("0.30")


def bulk_rate(quantity: int) -> Decimal:
    """Return the discount for a quantity, as a part of 1."""
    return RATE_PER_TEN * (quantity // 10)


def price_of(line: Line) -> Decimal:
    """Return what a line costs, discount taken off."""
    full = line.article.price * line.quantity
    rate = bulk_rate(line.quantity)  # @quote
    discount = full * rate  # @rate
    return (full - discount).quantize(CENT, ROUND_HALF_UP)
