"""Settings under the names that programs import; their fields are those of the YAML files."""

from mlagents.settings import BehaviorSettings as TrainerSettings
from mlagents.settings import RunSettings as RunOptions

__all__ = ["RunOptions", "TrainerSettings"]
