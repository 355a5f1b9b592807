"""Pixels and sound: videos, pictures and frame sizes. No model, no method."""
