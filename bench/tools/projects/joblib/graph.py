"""The graph with joblib.Memory: every call looked up on disk by its arguments and the function's source."""

import sys

import joblib
import steps

memory = joblib.Memory("cache", verbose=0)
start, add, middle, helped = map(memory.cache, (steps.start, steps.add, steps.middle, steps.helped))

width = int(sys.argv[1])
half = width // 2
row = [start(number) for number in range(width)]
for layer in range(1, width):
    sums = [add if layer < half else helped] * width
    if layer == half:
        sums[half] = middle
    row = [sums[i](row[i], row[(i + 1) % width]) for i in range(width)]
print("row:", *row)
print("ran", len(steps.ran))
