from clock import report


class Account:
    def __init__(self):
        self.balance = 0

    def add(self, amount):
        if amount < 0:
            self.balance = 0  # @cold
        self.balance += self.fee(amount)
        return self

    def fee(self, amount):
        return amount - 1


def loop(n):
    account = Account()
    for i in range(n):
        account.add(i)
    return account.balance


def elsewhere():
    return 1  # @elsewhere


elsewhere()
report(lambda: loop(60_000))
