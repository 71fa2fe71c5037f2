"""MuJoCo scenes that follow Unity's rules."""
