"""scikit-learn estimators: they come back, they have one form, and nothing foreign gets in."""

import functools
import io
import json
import warnings
import zipfile

import codec_shapes as shapes
import numpy as np
import pytest
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from stepwell.codecs import models
from stepwell.errors import CannotDecode, CannotEncode

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 4))
y = (X[:, 0] + rng.normal(size=120) > 0).astype(int)


def columns():
    prepare = ColumnTransformer(
        [
            ("scale", make_pipeline(SimpleImputer(), StandardScaler()), [0, 1]),
            ("log", FunctionTransformer(np.log1p), [2]),
            ("codes", OneHotEncoder(handle_unknown="ignore"), [3]),
        ]
    )
    return Pipeline([("prepare", prepare), ("fit", LogisticRegression())])


ESTIMATORS = {
    "hgb": lambda: HistGradientBoostingClassifier(max_iter=5, random_state=0),
    "hgb early": lambda: HistGradientBoostingClassifier(max_iter=5, random_state=0, early_stopping=True),
    "hgb regressor": lambda: HistGradientBoostingRegressor(
        max_iter=5, random_state=0, categorical_features=[3]
    ),
    "forest": lambda: RandomForestClassifier(5, random_state=0),
    "forest regressor": lambda: RandomForestRegressor(5, random_state=0),
    "boosting": lambda: GradientBoostingClassifier(n_estimators=3, random_state=0),
    "tree": lambda: DecisionTreeClassifier(random_state=0),
    "logistic": LogisticRegression,
    "ridge": Ridge,
    "sgd": lambda: SGDClassifier(random_state=0),
    "pipeline": columns,
    "scaler": StandardScaler,
    "pca": lambda: PCA(2),
    "neighbours": lambda: KNeighborsClassifier(3),
    "svc": SVC,
    "calibrated": lambda: CalibratedClassifierCV(LogisticRegression()),
    "unfitted": None,
}


def fitted(name):
    data = np.round(np.abs(X)) if name in ("pipeline", "hgb regressor") else X
    if name == "unfitted":
        return LogisticRegression(C=2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ESTIMATORS[name]().fit(data, y)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_comes_back_and_predicts_the_same(box, name):
    model = fitted(name)
    dumped = box.dump(model)
    assert dumped.codec == "sklearn"
    back = box.load(dumped.data, "sklearn", mapped=True)
    assert type(back) is type(model)
    assert str(back.get_params()) == str(model.get_params())
    data = np.round(np.abs(X)) if name in ("pipeline", "hgb regressor") else X
    for method in ("predict", "predict_proba", "transform"):
        if hasattr(model, method) and name != "unfitted":
            assert (np.asarray(getattr(back, method)(data)) == np.asarray(getattr(model, method)(data))).all()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_same_fit_twice_has_the_same_bytes_also_after_a_round_trip(box, name):
    one = box.dump(fitted(name)).data
    junk = [np.random.default_rng(5).bytes(500) for _ in range(500)]
    assert box.dump(fitted(name)).data == one
    assert box.dump(box.load(one, "sklearn")).data == one
    del junk


def test_different_fits_differ(box):
    one = box.dump(LogisticRegression().fit(X, y)).data
    assert box.dump(LogisticRegression().fit(X[:100], y[:100])).data != one
    assert box.dump(LogisticRegression(C=0.5).fit(X, y)).data != one


def test_the_number_of_threads_does_not_count(box):
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        one = fitted("hgb")
    other = fitted("hgb")
    other._bin_mapper.n_threads = 64
    assert box.dump(one).data == box.dump(other).data
    assert box.load(box.dump(other).data, "sklearn")._bin_mapper.n_threads is None


def test_text_with_stop_words(box):
    make = lambda: TfidfVectorizer(stop_words=["the", "a"]).fit(["the cat", "a dog"])  # noqa: E731
    assert box.dump(make()).data == box.dump(make()).data
    assert box.load(box.dump(make()).data, "sklearn").transform(["cat"]).nnz == 1


def test_a_search(box):
    model = GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2).fit(X, y)
    assert (box.load(box.dump(model).data, "sklearn").predict(X) == model.predict(X)).all()


def test_shared_parts_stay_shared(box):
    scaler = StandardScaler()
    union = Pipeline([("a", scaler), ("b", scaler)])
    back = box.load(box.dump(union).data, "sklearn")
    assert back.steps[0][1] is back.steps[1][1]


def test_skops_itself_opens_the_blob(box):
    import skops.io

    data = box.dump(LogisticRegression().fit(X, y)).data
    assert (skops.io.loads(data).predict(X) == LogisticRegression().fit(X, y).predict(X)).all()


def own_function(x):
    return x


@pytest.mark.parametrize(
    "make",
    [
        lambda: FunctionTransformer(lambda x: x), lambda: FunctionTransformer(own_function), lambda: FunctionTransformer(np.save),
        lambda: FunctionTransformer(eval), lambda: make_pipeline(FunctionTransformer(np.loadtxt)), lambda: Ridge(alpha=shapes.Plain()),
        lambda: FunctionTransformer(__import__("os").system),
    ],
    ids=range(7),
)  # fmt: skip
def test_foreign_parts_are_refused_when_written(box, make):
    with pytest.raises(CannotEncode) as caught:
        box.dump(make())
    assert any("pickle" in fix for fix in caught.value.fixes)


def test_functions_of_numpy_are_fine(box):
    partial = functools.partial(np.clip, a_min=0, a_max=1)
    assert box.load(box.dump(FunctionTransformer(partial)).data, "sklearn").func([2]) == [1]
    with pytest.raises(CannotEncode):
        box.dump(FunctionTransformer(functools.partial(own_function, 1)))
    for function in (np.log1p, np.clip, np.nan_to_num):
        assert box.load(box.dump(FunctionTransformer(function)).data, "sklearn").func is function


def edited(data, change):
    members = models._members(data)
    schema = json.loads(members["schema.json"])
    change(schema, members)
    members["schema.json"] = json.dumps(schema).encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def test_another_version_does_not_load_it_and_both_are_named(box):
    data = edited(
        box.dump(LogisticRegression()).data,
        lambda schema, members: members.update({"stepwell.json": b'{"scikit-learn": "0.19.0"}'}),
    )
    with pytest.raises(CannotDecode) as caught:
        box.load(data, "sklearn")
    assert "0.19.0" in caught.value.what
    assert sklearn.__version__ in caught.value.what


def node(module, name, loader, **rest):
    return {"__module__": module, "__class__": name, "__loader__": loader, **rest}


def text(value):
    return node("builtins", "str", "JsonNode", content=json.dumps(value), is_json=True)


@pytest.mark.parametrize(
    "foreign",
    [
        node("os", "system", "FunctionNode"),
        node("builtins", "eval", "TypeNode"),
        node("subprocess", "Popen", "ConstructorFromReduceNode", content=node("builtins", "tuple", "TupleNode", content=[text("id")])),
        node("numpy", "memmap", "ConstructorFromReduceNode", content=node("builtins", "tuple", "TupleNode", content=[text("/tmp/stepwell-x")])),
        node("numpy.testing", "rundocs", "FunctionNode"),
        node("numpy.testing._private.utils", "runstring", "FunctionNode"),
        node("numpy", "save", "FunctionNode"),
        node("sklearn.datasets", "fetch_openml", "FunctionNode"),
        node("operator", "methodcaller", "OperatorFuncNode", attrs=node("builtins", "tuple", "TupleNode", content=[text("x")])),
        node("codec_shapes", "Plain", "ObjectNode"),
        node("scipy._lib", "x", "FunctionNode"),
    ],
    ids=lambda n: f"{n['__module__']}.{n['__class__']}",
)  # fmt: skip
def test_hostile_models_are_refused_before_anything_is_made(box, foreign):
    def change(schema, members):
        schema["content"]["content"]["C"] = foreign

    with pytest.raises(CannotDecode) as caught:
        box.load(edited(box.dump(LogisticRegression()).data, change), "sklearn")
    assert foreign["__class__"] in caught.value.why


def test_malformed(box):
    good = box.dump(LogisticRegression()).data
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    cases = [
        b"",
        b"PK",
        good[:-30],
        empty.getvalue(),
        edited(good, lambda s, m: s.clear()),
        edited(good, lambda s, m: s.update(protocol="x")),
    ]
    for data in cases:
        with pytest.raises(CannotDecode):
            box.load(data, "sklearn")


def test_by_value_a_lambda_inside_is_an_error_not_a_silent_pickle(box):
    with pytest.raises(CannotEncode, match="without pickle"):
        box.dump(make_pipeline(FunctionTransformer(lambda x: x)))


def test_the_class_says_nothing_of_subclasses_of_ones_own(box):
    class Own(LogisticRegression):
        pass

    with pytest.raises(CannotEncode):
        box.dump(Own(), "sklearn")
