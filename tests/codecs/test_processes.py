"""The same values have the same bytes in another process, with other hashes, addresses and threads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys, hashlib, tempfile, warnings
from pathlib import Path
sys.path[:0] = [r"{here}"]
warnings.simplefilter("ignore")
filler = [object() for _ in range(int(sys.argv[1]))]
import numpy as np, pandas as pd, polars as pl, pyarrow as pa
import codec_shapes as shapes
from conftest import Box
from matplotlib.figure import Figure
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

rng = np.random.default_rng(1)
X = rng.normal(size=(300, 4)); y = (X[:, 0] > 0).astype(int)
words = ["w%d" % i for i in range(50)]
frame = pd.DataFrame({{"w": words, "c": pd.Categorical(words), "x": range(50)}})
figure = Figure(); figure.subplots().plot([1, 2, 3])
folder = Path(tempfile.mkdtemp()); (folder / "out").mkdir()
for word in words: (folder / "out" / word).write_text(word)
columns = ColumnTransformer([("a", StandardScaler(), [0, 1]), ("b", OneHotEncoder(handle_unknown="ignore"), [2])])
values = dict(
    sets={{"s": set(words), "f": frozenset(words), "d": {{w: {{w}} for w in set(words)}}}},
    data=shapes.Frozen(name="x", tags=frozenset(words)),
    array=X, bundle={{"frame": frame, "set": set(words), "arrays": [X, y]}},
    pandas=frame, groups=frame.groupby("w")[["x"]].sum(), polars=pl.from_pandas(frame), arrow=pa.Table.from_pandas(frame),
    figure=figure, folder=folder / "out",
    hgb=HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(X, y),
    forest=RandomForestClassifier(5, random_state=0, n_jobs=2).fit(X, y),
    logistic=LogisticRegression().fit(X, y), scaler=StandardScaler().fit(X),
    pipeline=make_pipeline(columns, LogisticRegression()).fit(X, y),
)
box = Box(Path(tempfile.mkdtemp()))
for name, value in values.items():
    print(name, hashlib.sha256(box.dump(value).data).hexdigest())
"""


@pytest.mark.slow
def test_the_same_bytes_in_every_process():
    here = Path(__file__).parent
    outputs = []
    for seed, threads in (("1", "1"), ("77", "2")):
        env = {**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads, "MPLBACKEND": "agg"}
        command = [sys.executable, "-c", SCRIPT.format(here=here), str(int(seed) * 100)]
        outputs.append(
            subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
    found = [process.communicate() for process in outputs]
    assert all(process.returncode == 0 for process in outputs), found[0][1]
    assert found[0][0].splitlines() == found[1][0].splitlines()
    assert len(found[0][0].splitlines()) == 15
