"""A visible mark: a few words in a corner that say what a video is. It can be cut away; it is a courtesy, no proof."""

from __future__ import annotations

import cv2
import numpy as np

from diptych.types import Frames

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_HEIGHT = 21  # pixels of a capital at scale 1
_SHARE = 0.045  # of the picture's height that a capital takes
_LEAST = 7  # pixels below which letters cannot be read
_OPACITY = 0.75


def marked(frames: Frames, words: str) -> Frames:
    """Frames with words in the lower right corner, light on a dark ground, as wide as the picture at most.

    Args:
        frames: RGB, uint8, ``(t, h, w, 3)``; left as they are.
        words: plain ASCII text; other signs come out as question marks.

    Returns:
        uint8, the same shape.
    """
    _, height, width, _ = frames.shape
    scale = max(_LEAST, _SHARE * height) / _FONT_HEIGHT
    (across, up), below = cv2.getTextSize(words, _FONT, scale, 1)
    scale *= min(1.0, 0.96 * width / max(1, across))
    thickness = max(1, round(scale * 1.5))
    (across, up), below = cv2.getTextSize(words, _FONT, scale, thickness)
    pad = max(1, round(up * 0.4))
    box_width, box_height = min(width, across + 2 * pad), min(height, up + below + 2 * pad)
    label = np.full((box_height, box_width, 3), 16, np.uint8)
    cv2.putText(label, words, (pad, pad + up), _FONT, scale, (240, 240, 240), thickness, cv2.LINE_AA)
    out = frames.copy()
    corner = out[:, height - box_height :, width - box_width :]
    corner[...] = np.rint(_OPACITY * label + (1 - _OPACITY) * corner).astype(np.uint8)
    return out
