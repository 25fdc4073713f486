"""Runs a command and prints, on a last line, what it took. Imports next to nothing, see `measure.run`."""

import json
import os
import subprocess
import sys
import threading
import time

LIMIT = float(os.environ.get("BENCH_LIMIT", "60"))

began = time.perf_counter()
child = subprocess.Popen(sys.argv[1:])
killer = threading.Timer(LIMIT, child.kill)
killer.daemon = True
killer.start()
_, status, used = os.wait4(child.pid, 0)
wall = time.perf_counter() - began
found = {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss / 1024}
sys.stdout.write("\n" + json.dumps({**found, "code": os.waitstatus_to_exitcode(status)}))
sys.stdout.flush()
os._exit(0)
