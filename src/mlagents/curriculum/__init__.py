"""Environment parameters that change: lessons turn progress into values, samplers draw them."""
