"""A policy as a `.nn` file of the 2020 toolkit."""
