"""A small order service: takes orders from a queue, makes invoices, keeps the books.

    python service.py            handle the orders of orders.json and end
    python service.py --serve    and go on, until Ctrl-C

One of the invoices is wrong. `remora demo` shows how to find out why.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path

from model import Article, Customer, Invoice, Line, Order
from pricing import price_of

HERE = Path(__file__).resolve().parent


class OrderService:
    """Takes orders in any thread, handles them in one of its own."""

    def __init__(self) -> None:
        self.books: list[Invoice] = []
        self._orders: queue.Queue[Order | None] = queue.Queue()
        self._worker = threading.Thread(target=self._work, name="orders")

    def start(self) -> None:
        self._worker.start()

    def take(self, order: Order) -> None:
        self._orders.put(order)

    def close(self) -> None:
        """Handle what was taken, then stop."""
        self._orders.put(None)
        self._worker.join()

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            invoice = self.handle(order)
            self.books.append(invoice)
            print(f"order {order.number}  {order.customer.name:<22} {invoice.total:>9} EUR", flush=True)

    def handle(self, order: Order) -> Invoice:
        invoice = Invoice(order)
        for line in order.lines:
            invoice.amounts.append(price_of(line))
        return invoice


def read_orders(path: Path) -> list[Order]:
    data = json.loads(path.read_text(encoding="utf-8"))
    articles = {
        each["number"]: Article(each["number"], each["name"], Decimal(each["price"]))
        for each in data["articles"]
    }
    return [
        Order(
            each["number"],
            Customer(**each["customer"]),
            [Line(articles[number], quantity) for number, quantity in each["lines"]],
        )
        for each in data["orders"]
    ]


def main() -> int:
    service = OrderService()
    service.start()
    try:
        while True:
            for order in read_orders(HERE / "orders.json"):
                service.take(order)
            if "--serve" not in sys.argv:
                break
            time.sleep(5)
    except KeyboardInterrupt:
        pass
    service.close()
    wrong = [invoice.order.number for invoice in service.books if invoice.total <= 0]
    if wrong:
        print(f"the books are wrong: orders {wrong} cost nothing or less", file=sys.stderr)
        return 1
    print("the books are right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
