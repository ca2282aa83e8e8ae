import importlib
import sys
import time

from clock import tell

debugger = importlib.import_module(sys.argv[1])
began = time.perf_counter()
debugger.listen(("127.0.0.1", int(sys.argv[2])))
tell(time.perf_counter() - began)
