"""The workloads: what is done, by whom, and how one knows that it was done right."""
