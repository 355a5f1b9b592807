"""Diptych: one picture of any character and one driving video become a video of that character in that motion."""

__version__ = "0.1.0"
