"""A training run: `loop` is the page to read first, `build` is where everything is put together."""
