"""The tools that are compared, one module each."""

from __future__ import annotations

from tools import (
    dagster,
    dask,
    doit,
    dvc,
    hamilton,
    joblib,
    kedro,
    luigi,
    make,
    metaflow,
    ninja,
    prefect,
    ray,
    redun,
    snakemake,
    stepwell,
    zenml,
)
from tools.tool import Tool

TOOLS: tuple[Tool, ...] = (
    stepwell.TOOL,
    ninja.TOOL,
    make.TOOL,
    doit.TOOL,
    joblib.TOOL,
    hamilton.TOOL,
    luigi.TOOL,
    kedro.TOOL,
    snakemake.TOOL,
    dvc.TOOL,
    redun.TOOL,
    prefect.TOOL,
    dagster.TOOL,
    zenml.TOOL,
    metaflow.TOOL,
    dask.TOOL,
    ray.TOOL,
)
"""In the order in which they take part."""
