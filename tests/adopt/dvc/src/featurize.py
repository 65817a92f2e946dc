import csv
import sys

source, target = sys.argv[1:3]
with open(source, newline="") as file:
    rows = list(csv.DictReader(file))
with open(target, "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["x", "y", "xx"])
    for row in rows:
        writer.writerow([row["x"], row["y"], float(row["x"]) ** 2])
