"""Four children, each of which runs one line of the program: `children.py WAY`.

WAY is spawn, fork, forkserver (pools of multiprocessing) or popen. Tells the seconds from the start of the
first child to the end of the last.
"""

import multiprocessing
import subprocess
import sys
import time

import clock

CHILDREN = 4


def work(number: int = 1) -> int:
    return number + 1  # @hit


def run(way: str) -> None:
    if way == "popen":
        command = [sys.executable, __file__, "child"]
        children = [subprocess.Popen(command) for _ in range(CHILDREN)]
        for child in children:
            child.wait()
        return
    # As initializer: of tasks one child may take another's share.
    with multiprocessing.get_context(way).Pool(CHILDREN, initializer=work) as pool:
        pool.map(work, range(CHILDREN))
        pool.close()
        pool.join()


if __name__ == "__main__":
    if sys.argv[1] == "child":
        work()
    else:
        began = time.perf_counter()  # @ready
        run(sys.argv[1])
        clock.tell(time.perf_counter() - began)
