"""SQL, Python with a scikit-learn of its own, a shell tool in a container; one figure at the end."""

from pathlib import Path

from stepwell import pipeline, shell, source, sql, step

houses = source("houses.csv", Path)

sold = sql("select area, price from {houses} where price is not null order by area", list[dict[str, float]])

towns = shell("tally 1 {houses} > {out}", out="towns.txt", image="localhost/tally:1")


@step(packages=["scikit-learn==1.5.2"])
def fit(sold: list[dict[str, float]]) -> list[float]:
    """What each house should have cost."""
    from sklearn.linear_model import LinearRegression

    areas = [[house["area"]] for house in sold]
    model = LinearRegression().fit(areas, [house["price"] for house in sold])
    return [round(float(price), 1) for price in model.predict(areas)]


@step
def figure(sold: list[dict[str, float]], fitted: list[float], towns: Path) -> Path:
    """The prices with the line through them, and how many houses each town has."""
    from matplotlib.figure import Figure

    areas = [house["area"] for house in sold]
    counts = [line.split() for line in towns.read_text().splitlines()]
    drawing = Figure(figsize=(8, 4))
    left, right = drawing.subplots(1, 2)
    left.scatter(areas, [house["price"] for house in sold])
    left.plot(areas, fitted)
    right.bar([town for _, town in counts], [int(count) for count, _ in counts])
    drawing.savefig("houses.svg")
    return Path("houses.svg")


@pipeline
def main() -> Path:
    table = houses()
    priced = sold(houses=table)
    return figure(priced, fit(priced), towns(houses=table))
