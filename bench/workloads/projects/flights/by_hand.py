"""The functions of the flights example without Stepwell: called one after the other, or each behind joblib.Memory.

    by_hand.py loop DATA 6,0.1
    by_hand.py joblib DATA 3,0.05 3,0.1 4,0.05

DATA is the folder of the tables; each point is a depth and a learning rate. Prints the metrics of each, as JSON
on a line of its own. What does not depend on the point is done once, as anybody would write it.
"""

import json
import sys
import types
from pathlib import Path

import pandas as pd

how, data, *points = sys.argv[1:]


def read(path, changed, options):
    """`changed` stands for the content: joblib sees only arguments."""
    return pd.read_csv(path, **options)


if how == "joblib":
    from joblib import Memory

    keep = Memory(".joblib", verbose=0).cache
else:

    def keep(function):
        return function


def source(uri, kind, *, sample=None, **options):
    path = Path(data) / uri.rpartition("/")[2]
    return lambda: keep(read)(str(path), path.stat().st_mtime_ns, options)


# The pipeline's file as it is, with a `stepwell` that does nothing: what is measured beside is the same code.
nothing = types.ModuleType("stepwell")
nothing.step, nothing.source, nothing.pipeline = keep, source, lambda function: function
nothing.log = types.SimpleNamespace(metric=lambda name, value: None)
roles = types.ModuleType("stepwell.ml")
roles.trainer = keep
roles.splitter = roles.predictor = roles.evaluator = lambda **_options: keep
sys.modules |= {"stepwell": nothing, "stepwell.ml": roles}

import pipeline as example  # noqa: E402

table = example.clean(example.join(example.flights(), example.weather(), example.planes()))
fit, held_out = example.split(table, 61)
counts = example.baseline(fit)
for point in points:
    depth, rate = point.split(",")
    model = example.train(fit, int(depth), float(rate))
    predictions = example.predict(model, counts, held_out)
    metrics = example.score(predictions)
    figure = example.plot(predictions)
    print(json.dumps(metrics))
