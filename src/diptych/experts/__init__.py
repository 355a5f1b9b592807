"""Other people's models, which recipes hand to the jobs as functions."""
