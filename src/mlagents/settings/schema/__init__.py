"""The schema: one class per section, one documented field per key with its default and bounds."""

from mlagents.settings.schema.base import Settings
from mlagents.settings.schema.behavior import BehavioralCloningSettings, BehaviorSettings, SelfPlaySettings
from mlagents.settings.schema.hyperparameters import (
    TRAINER_TYPES,
    BCSettings,
    HyperparameterSettings,
    POCASettings,
    PPOSettings,
    SACSettings,
    register_trainer_type,
)
from mlagents.settings.schema.network import MemorySettings, NetworkSettings
from mlagents.settings.schema.parameters import (
    SAMPLERS,
    CompletionCriteriaSettings,
    ConstantParameters,
    CurriculumSettings,
    GaussianParameters,
    LessonSettings,
    MultiRangeUniformParameters,
    SamplerParameters,
    SamplerSettings,
    UniformParameters,
)
from mlagents.settings.schema.reward_signal_types import REWARD_SIGNAL_GROUP, RewardSignalType, plugin_signal
from mlagents.settings.schema.reward_signals import (
    REWARD_SIGNALS,
    CuriositySettings,
    ExtrinsicSettings,
    GAILSettings,
    RewardSignalSettings,
    RNDSettings,
)
from mlagents.settings.schema.run import (
    CheckpointSettings,
    EngineSettings,
    EnvSettings,
    RaySettings,
    RunSettings,
    TorchSettings,
)
from mlagents.settings.schema.search import SearchSettings
from mlagents.settings.schema.trainer_types import (
    TRAINER_TYPE_GROUP,
    TrainerType,
    hyperparameters_of,
    plugin_trainer,
    trainer_type_names,
)

__all__ = [
    "REWARD_SIGNALS",
    "REWARD_SIGNAL_GROUP",
    "SAMPLERS",
    "TRAINER_TYPES",
    "TRAINER_TYPE_GROUP",
    "BCSettings",
    "BehaviorSettings",
    "BehavioralCloningSettings",
    "CheckpointSettings",
    "CompletionCriteriaSettings",
    "ConstantParameters",
    "CuriositySettings",
    "CurriculumSettings",
    "EngineSettings",
    "EnvSettings",
    "ExtrinsicSettings",
    "GAILSettings",
    "GaussianParameters",
    "HyperparameterSettings",
    "LessonSettings",
    "MemorySettings",
    "MultiRangeUniformParameters",
    "NetworkSettings",
    "POCASettings",
    "PPOSettings",
    "RNDSettings",
    "RaySettings",
    "RewardSignalSettings",
    "RewardSignalType",
    "RunSettings",
    "SACSettings",
    "SamplerParameters",
    "SamplerSettings",
    "SearchSettings",
    "SelfPlaySettings",
    "Settings",
    "TorchSettings",
    "TrainerType",
    "UniformParameters",
    "hyperparameters_of",
    "plugin_signal",
    "plugin_trainer",
    "register_trainer_type",
    "trainer_type_names",
]
