"""Something to step through, with a handful of variables of everyday kinds."""


class Order:
    def __init__(self, number, items):
        self.number = number
        self.items = items


def walk(n):
    order = Order(7, [("bread", 2), ("milk", 1)])
    names = {"first": "Ada", "last": "Lovelace"}
    total = 0.0
    for i in range(n):
        total += i * 1.5  # @walk
        names["last"] = str(i)
        order.number += 1
    return total


walk(10_000)
