"""Footage to training data: clips, poses, words and latents, one step at a time, each resumable on its own."""
