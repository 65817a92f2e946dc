"""The floor: BLAKE3 of a file on all processors, over its map; or of each file of a folder, one after the other.

    hashed.py big.bin
    hashed.py data

Prints a digest: of the folder, that of its files' names and digests.
"""

import os
import sys

from blake3 import blake3

path = sys.argv[1]
if os.path.isfile(path):
    print(blake3(max_threads=blake3.AUTO).update_mmap(path).hexdigest())
else:
    whole = blake3()
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            with open(os.path.join(folder, name), "rb", buffering=0) as file:
                whole.update(name.encode() + blake3(file.read()).digest())
    print(whole.hexdigest())
