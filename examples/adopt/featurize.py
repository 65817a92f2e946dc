"""The size of houses as a share of the largest, beside their price."""

import argparse
import csv

parser = argparse.ArgumentParser()
parser.add_argument("houses")
parser.add_argument("--out", required=True)
options = parser.parse_args()

with open(options.houses, newline="") as file:
    houses = [(float(row["area"]), float(row["price"])) for row in csv.DictReader(file)]
largest = max(area for area, _ in houses)

with open(options.out, "w", newline="") as file:
    table = csv.writer(file, lineterminator="\n")
    table.writerow(["size", "price"])
    table.writerows((round(area / largest, 4), price) for area, price in houses)
