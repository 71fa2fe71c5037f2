"""The files of a run: where they are, checkpoints, models, what it was made of, and how it goes on."""
