"""An output file of the user's: it appears whole or not at all, and what stands in its way is said in a sentence."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diptych.files import replacing, writing_errors
from diptych.types import InputError


@contextmanager
def output_file(path: Path) -> Iterator[Path]:
    """Give a temporary file that takes the place of ``path`` when the block ends well; see ``files.replacing``.

    A symbolic link is followed: what it points to is replaced, not the link. Errors of the block itself pass as they
    are; whoever writes there knows better what they mean.

    Args:
        path: the file to write. Its folder must exist.

    Yields:
        The temporary file: empty, in the same folder, with the suffix of ``path``.

    Raises:
        InputError: the folder is missing or not writable, the disk is full, or ``path`` is not an ordinary file.
    """
    with writing_errors(path):
        target = Path(os.path.realpath(path))
        if target.exists() and not target.is_file():
            raise InputError(f"{path} cannot be written (it is not an ordinary file); choose another name.")
        if not target.parent.is_dir():
            raise InputError(f"{path} cannot be written (there is no folder {path.parent}); create the folder first.")
    entered = replacing(target)
    with writing_errors(path):
        draft = entered.__enter__()
        try:
            draft.touch()  # now, so that a folder without permission is found before hours of work
        except OSError:
            entered.__exit__(*sys.exc_info())
            raise
    try:
        yield draft
    except BaseException:
        entered.__exit__(*sys.exc_info())
        raise
    with writing_errors(path):
        entered.__exit__(None, None, None)
