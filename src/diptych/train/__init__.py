"""The training job: one loop, its exact state, and what it is asked to train."""
