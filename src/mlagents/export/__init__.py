"""From a policy to the model files that Unity reads."""

from mlagents.export.errors import ExportError
from mlagents.export.parity import ParityReport
from mlagents.export.policy import export_policy

__all__ = ["ExportError", "ParityReport", "export_policy"]
