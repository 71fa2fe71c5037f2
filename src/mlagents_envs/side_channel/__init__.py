"""Side channels: small messages beside observations and actions, routed by the UUID of their channel."""

from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.outgoing_message import OutgoingMessage
from mlagents_envs.side_channel.side_channel import SideChannel

# Last: it needs the three above.
from mlagents_envs.side_channel.default_training_analytics_side_channel import (  # isort: skip
    DefaultTrainingAnalyticsSideChannel,
)

__all__ = ["DefaultTrainingAnalyticsSideChannel", "IncomingMessage", "OutgoingMessage", "SideChannel"]
