"""The same by hand: the table made and used; or written as Parquet through pandas, durable, and read back.

by_hand.py memory 5000000 str
by_hand.py parquet 5000000 object
"""

import os
import sys

import pandas as pd
import tables

how, count, text = sys.argv[1], int(sys.argv[2]), sys.argv[3]
table = tables.make(count, text)
if how == "parquet":
    kinds = table.dtypes
    table.to_parquet("table.parquet")
    with open("table.parquet", "rb") as file:
        os.fsync(file.fileno())
    table = pd.read_parquet("table.parquet")
    table = table.astype({name: kind for name, kind in kinds.items() if table[name].dtype != kind})
print(*tables.summary(table))
