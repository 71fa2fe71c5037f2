"""What may be wrong before a run starts: with this machine, and with an environment and its configuration."""
