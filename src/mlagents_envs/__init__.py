"""What an environment is, and how to talk to one in another process."""

__version__ = "2.0.0.dev0"
__release_tag__ = "main"
