"""The same two scripts as shell steps. The scripts are inputs of their commands, so an edit of one is seen."""

from pathlib import Path

from stepwell import pipeline, shell, source

houses = source("houses.csv", Path)
featurize_py = source("featurize.py", Path)
train_py = source("train.py", Path)

featurize = shell("python {featurize_py} {houses} --out {out}", out="features.csv")
train = shell("python {train_py} {features} --rounds {rounds} --rate {rate} --out {out}", out="model.json")


@pipeline
def main(rounds: int = 30, rate: float = 0.5) -> Path:
    features = featurize(featurize_py=featurize_py(), houses=houses())
    return train(train_py=train_py(), features=features, rounds=rounds, rate=rate)
