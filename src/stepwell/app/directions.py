"""Whether more of a metric is better: as a role said, else as its name says, else nobody knows.

direction_of("val/rmse")                        "lower"
direction_of("gain", {"gain": "higher"})        "higher", since an evaluator said so
change("auc", 0.91, 0.93)                       "better"
by_interest(["rows", "train/loss", "auc"])      ["auc", "train/loss", "rows"]
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

LOWER = frozenset(
    {
        "loss", "losses", "rmse", "mse", "mae", "mape", "smape", "rmsle", "msle", "error", "errors",
        "err", "errs", "logloss", "brier", "perplexity", "ppl", "nll", "deviance", "bic", "aic",
        "wer", "cer", "fid", "fpr", "fnr", "ece", "latency", "seconds", "duration", "regret",
        "misses", "crossentropy", "kl", "mdape", "pinball", "hinge",
    }
)  # fmt: skip
"""Words of names of which less is better."""

HIGHER = frozenset(
    {
        "auc", "auroc", "auprc", "accuracy", "acc", "f1", "f2", "precision", "recall", "r2", "ap",
        "map", "mrr", "ndcg", "bleu", "rouge", "iou", "dice", "jaccard", "kappa", "mcc",
        "sensitivity", "specificity", "tpr", "tnr", "silhouette", "ari", "nmi", "likelihood",
        "lift", "elbo", "psnr", "ssim",
    }
)  # fmt: skip
"""Words of names of which more is better."""

_TURNED = frozenset(("neg", "negative", "minus"))
_SLICE = re.compile(r"\[[^\[\]]*\]$")
_WORD = re.compile(r"[a-z]+\d*|\d+")
_OPPOSITE = {"lower": "higher", "higher": "lower", "": ""}

NOBODY: Mapping[str, str] = {}


def direction_of(name: str, said: Mapping[str, str] = NOBODY) -> str:
    """Which is better of a metric, "higher" or "lower"; "" where nothing says.

    `said` is what roles said by name. What is said of `auc` holds for `auc[group=a]` and `score.auc`, too. Else words of
    the name count: one of `LOWER` before one of `HIGHER`, the other way round in `neg_log_loss`.
    """
    bare = _SLICE.sub("", name)
    for form in (name, bare, bare.rpartition(".")[2], bare.rpartition("/")[2]):
        if form in said:
            return said[form]
    words = set(_WORD.findall(bare.lower()))
    joined = "".join(re.findall(r"[a-z]+", bare.lower()))
    if words & LOWER or joined.endswith("crossentropy"):
        found = "lower"
    elif words & HIGHER:
        found = "higher"
    else:
        return ""
    return _OPPOSITE[found] if words & _TURNED else found


def by_interest(names: Iterable[str], said: Mapping[str, str] = NOBODY) -> list[str]:
    """Names of metrics, first those by which a run is judged; among equals in their own order.

    What a role said the direction of (`said`), then names that say one themselves, then those of the training data
    (`train/loss`), slices (`auc[group=a]`), and what has no direction (`rows`).
    """
    return sorted(names, key=lambda name: _rank(name, said))


def _rank(name: str, said: Mapping[str, str]) -> int:
    if not direction_of(name, said):
        return 4
    if _SLICE.search(name):
        return 3
    if name in said or name.rpartition(".")[2] in said:
        return 0
    return 2 if "train" in name.lower() else 1


def change(name: str, before: float, after: float, said: Mapping[str, str] = NOBODY) -> str:
    """What became of a metric: "better", "worse", or "" where it is the same, one of them is NaN, or nobody knows."""
    way = direction_of(name, said)
    if not way or before == after or before != before or after != after:
        return ""
    return "better" if (after > before) is (way == "higher") else "worse"
