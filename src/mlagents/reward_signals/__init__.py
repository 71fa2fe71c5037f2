"""Reward signals: an axis of rewards, values and returns, [..., K]."""
