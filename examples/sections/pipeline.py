"""Three sections in three files, which know nothing of each other: run together, run apart."""

from etl import etl
from qa import qa
from training import training

everything = etl | training | qa
