import csv
import json
import os
import sys

import yaml

with open("params.yaml") as file:
    params = yaml.safe_load(file)["train"]
with open("data/features.csv", newline="") as file:
    rows = list(csv.DictReader(file))
slope = sum(float(row["y"]) for row in rows) / sum(float(row["x"]) for row in rows)
os.makedirs("models", exist_ok=True)
with open("models/model.json", "w") as file:
    json.dump({"slope": slope * params["rate"], "rounds": int(sys.argv[1])}, file)
with open("metrics.json", "w") as file:
    json.dump({"slope": round(slope, 3)}, file)
