"""Experience: lanes, trajectories, segments and rows."""
