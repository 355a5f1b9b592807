"""Diptych: one picture of any character and one driving video become a video of that character in that motion.

import diptych
made = diptych.animate_video("picture.png", "dance.mp4", "out.mp4")
print(made.frames, made.seconds)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diptych.animate.session import Session
    from diptych.recipes.animate import Animation

__version__ = "0.1.0"
__all__ = ["animate_video", "open_session"]


def animate_video(reference: str | Path, driving: str | Path, output: str | Path, **options: Any) -> Animation:
    """Lets a picture perform the motion of a video, as ``diptych animate`` does.

    Args:
        reference: picture of the character.
        driving: video whose motion is wanted.
        output: mp4 file to write.
        options: further fields of :class:`diptych.options.AnimateOptions`, such as ``prompt``, ``seed``, ``preview``.

    Returns:
        What was made: path, frames, size, seconds and notes.

    Raises:
        diptych.types.InputError: with one sentence that names the file and the remedy.
    """
    # Imported here, so that `import diptych` stays as light as --help.
    from diptych.options import AnimateOptions
    from diptych.recipes.animate import animate_files

    settings = {"quiet": True, **options}
    made = animate_files(AnimateOptions(Path(reference), Path(driving), Path(output), **settings))
    if made is None:
        raise ValueError("a dry run makes nothing; use the command line for it")
    return made


def open_session(model: str = "mini", **settings: Any) -> Session:
    """Loads a model once, to animate any number of pictures in memory; see :class:`diptych.animate.session.Session`."""
    from diptych.recipes.session import open_session as opened

    return opened(model, **settings)
