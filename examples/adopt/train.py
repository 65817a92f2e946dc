"""Fit price = slope * size by gradient descent."""

import argparse
import csv
import json

parser = argparse.ArgumentParser()
parser.add_argument("features")
parser.add_argument("--rounds", type=int, default=10)
parser.add_argument("--rate", type=float, default=0.5)
parser.add_argument("--out", required=True)
options = parser.parse_args()

with open(options.features, newline="") as file:
    houses = [(float(row["size"]), float(row["price"])) for row in csv.DictReader(file)]

slope = 0.0
for _ in range(options.rounds):
    slope -= options.rate * sum((slope * size - price) * size for size, price in houses) / len(houses)
error = sum(abs(slope * size - price) for size, price in houses) / len(houses)

with open(options.out, "w") as file:
    json.dump({"slope": round(slope, 2), "error": round(error, 2)}, file)
