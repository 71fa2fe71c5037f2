"""Networks: a policy is a function of weights and inputs."""
