"""Weights: backbones behind one small protocol, and the mini that ships."""
