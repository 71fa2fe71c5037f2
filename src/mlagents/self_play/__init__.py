"""Agents that play against themselves: who plays with which weights, who learns, and how good they are."""
