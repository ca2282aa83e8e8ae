from clock import report

HITS = 50_000


def loop(n):
    total = 0
    for i in range(n):
        total += i  # @hot
    return total


report(lambda: loop(HITS))
