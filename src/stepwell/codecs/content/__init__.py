"""Digests of content, `c1:`: equal for equal tables and arrays, whatever library, file format or version wrote them.

The specification is `docs/reference/content-digest.md`, its test vectors are beside it. Read in this order:

nodes     the bytes that stand for values: kinds, presence, whole numbers in the smallest width
arrow     columns of Arrow as such values          arrays    NumPy arrays as such values
frames    columns of pandas as columns of Arrow    tables    columns, block by block, as the digest of a table
files     Parquet, Arrow, CSV and `.npy` files     digest    what callers use: `digest_of`, `digest_of_file`
"""
