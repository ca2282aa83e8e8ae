import threading

from clock import report


def work(n):
    total = 0
    for i in range(n):
        if i < 0:
            total = 0  # @cold
        total += i
    return total


def eight():
    threads = [threading.Thread(target=work, args=(60_000,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def elsewhere():
    return 1  # @elsewhere


elsewhere()
report(eight)
