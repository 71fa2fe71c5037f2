"""Train, run and export agents."""
