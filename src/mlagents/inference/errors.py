"""What goes wrong with model files.

```
ModelError            no such file, not a model, or not one of ours
└── ModelMismatch     a good model for other observations or actions
```
"""

from __future__ import annotations


class ModelError(Exception):
    """A model file is missing, broken, or not an agent's model; the message names the file."""


class ModelMismatch(ModelError):
    """A model's inputs or outputs are not those of the behavior it is to play."""
