"""What models are trained on: draws of windows, and their latents cached on disk."""
