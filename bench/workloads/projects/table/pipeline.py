import pandas as pd
import tables

from stepwell import pipeline, step


@step
def make(count: int, text: str) -> pd.DataFrame:
    return tables.make(count, text)


@step
def summary(table: pd.DataFrame) -> list[str]:
    return tables.summary(table)


@pipeline
def table(count: int, text: str) -> list[str]:
    return summary(make(count, text))
