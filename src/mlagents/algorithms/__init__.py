"""Learning algorithms: each with pure losses and a learner."""
