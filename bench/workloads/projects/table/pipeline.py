import pandas as pd
import tables

from stepwell import pipeline, step


@step
def make(count: int) -> pd.DataFrame:
    return tables.make(count)


@step
def summary(table: pd.DataFrame) -> list[str]:
    return tables.summary(table)


@pipeline
def table(count: int) -> list[str]:
    return summary(make(count))
