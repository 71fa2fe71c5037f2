"""What agents do."""

from mlagents_sim.actuators.actions import Actions, check_action_values

__all__ = ["Actions", "check_action_values"]
