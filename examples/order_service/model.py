"""What the service talks about: articles, customers, orders, invoices."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True)
class Article:
    number: str
    name: str
    price: Decimal


@dataclass(frozen=True)
class Customer:
    name: str
    country: str = "DE"


@dataclass
class Line:
    article: Article
    quantity: int


@dataclass
class Order:
    number: int
    customer: Customer
    lines: list[Line] = field(default_factory=list)


@dataclass
class Invoice:
    order: Order
    amounts: list[Decimal] = field(default_factory=list)

    @property
    def total(self) -> Decimal:
        return sum(self.amounts, Decimal(0))
