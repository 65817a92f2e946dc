"""SQL, Python with a scikit-learn of its own, a shell tool in a container; one figure at the end."""

from pathlib import Path

from stepwell import pipeline, shell, source, sql, step

houses = source("houses.csv", Path)

sold = sql("select area, price from {houses} where price is not null order by area", list[dict])

towns = shell("tally 1 {houses} > {out}", out="towns.txt", image="localhost/tally:1")


@step(packages=["scikit-learn==1.5.2"])
def fit(sold: list[dict]) -> list[float]:
    """What each house should have cost."""
    from sklearn.linear_model import LinearRegression

    areas = [[house["area"]] for house in sold]
    model = LinearRegression().fit(areas, [house["price"] for house in sold])
    return [round(float(price), 1) for price in model.predict(areas)]


@step
def figure(sold: list[dict], fitted: list[float], towns: Path) -> Path:
    from matplotlib import pyplot

    counts = [line.split() for line in towns.read_text().splitlines()]
    _, (left, right) = pyplot.subplots(1, 2)
    left.scatter([house["area"] for house in sold], [house["price"] for house in sold])
    left.plot([house["area"] for house in sold], fitted)
    right.bar([town for _, town in counts], [int(count) for count, _ in counts])
    pyplot.savefig("houses.svg")
    return Path("houses.svg")


@pipeline
def main() -> Path:
    table = houses()
    priced = sold(houses=table)
    return figure(priced, fit(priced), towns(houses=table))
