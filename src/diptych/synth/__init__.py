"""Self-made pairs: made, judged, looked at by people, kept (paper, section 3.4)."""
