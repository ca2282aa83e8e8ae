import asyncio

from clock import report


async def leaf(i):
    if i < 0:
        return 0  # @cold
    if i % 10 == 0:
        await asyncio.sleep(0)
    return i


async def worker(n):
    total = 0
    for i in range(n):
        total += await leaf(i)
    return total


async def main():
    await asyncio.gather(*(worker(500) for _ in range(20)))


def elsewhere():
    return 1  # @elsewhere


elsewhere()
report(lambda: asyncio.run(main()))
