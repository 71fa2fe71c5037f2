"""Write environments in Python; the example environments."""
