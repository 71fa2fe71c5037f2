"""From a policy to the model files that Unity reads."""

from mlagents.export.model import export_model, why_no_barracuda
from mlagents.export.onnx.policy import export_policy
from mlagents.export.onnx.profiles import DEFAULT, PROFILES, Profile
from mlagents.export.parity.report import ExportError, ParityReport

__all__ = [
    "DEFAULT",
    "PROFILES",
    "ExportError",
    "ParityReport",
    "Profile",
    "export_model",
    "export_policy",
    "why_no_barracuda",
]
