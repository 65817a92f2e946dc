import json
import sys
from pathlib import Path

import yaml

kind, depth = sys.argv[1:]
values = yaml.safe_load(Path("../params.yaml").read_text())
text = Path("../clean/all.txt").read_text()
target = Path("models", depth, f"{kind}.json")
target.parent.mkdir(parents=True, exist_ok=True)
target.write_text(json.dumps({"kind": kind, "size": len(text), "rate": values["fit"]["rate"]}))
