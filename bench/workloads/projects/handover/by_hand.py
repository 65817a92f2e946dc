"""The floors: the same work with nothing kept; or the array written, made durable, hashed once and mapped.

    by_hand.py memory 125000000
    by_hand.py keep 125000000

Writing and hashing follow each other, each in its cheapest way: one write call, then BLAKE3 on all
processors over the mapped file.
"""

import os
import sys

import numpy as np

how, count = sys.argv[1], int(sys.argv[2])
values = np.arange(count, dtype=np.float64)
if how == "keep":
    from blake3 import blake3

    with open("values.bin", "wb", buffering=0) as file:
        data = memoryview(values).cast("B")
        while data:
            data = data[file.write(data) :]
        os.fsync(file.fileno())
    digest = blake3(max_threads=blake3.AUTO).update_mmap("values.bin").hexdigest()
    values = np.memmap("values.bin", np.float64, "r")
print(float(values[-1]), float(values.sum()))
