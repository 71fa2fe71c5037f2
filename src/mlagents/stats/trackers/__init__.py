"""Weights & Biases, MLflow and trackio: each told the statistics of a run that asks for it (`--track NAME`).

They come through the same entry points as the writers of other packages, `mlagents.stats_writer`.
"""
