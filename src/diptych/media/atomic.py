"""A file that appears whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diptych.types import InputError


@contextmanager
def writing_errors(path: Path) -> Iterator[None]:
    """Turn an operating system error inside the block into a sentence about ``path``.

    Args:
        path: the file that is being written, for the message.

    Raises:
        InputError: the block raised OSError (no permission, full disk, and so on).
    """
    try:
        yield
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise InputError(f"{path} cannot be written ({reason}); free some space or choose another folder.") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary file in the folder of ``path`` that takes its place when the block ends well.

    The content is on disk (fsync) before the name changes, so after a power cut the folder holds either the old file or
    the whole new one. When the block raises, the temporary file is removed and the old file is untouched. A symbolic
    link is followed: what it points to is replaced, not the link.

    Args:
        path: the file to write. Its folder must exist.

    Yields:
        The temporary file: empty, in the same folder, its name without the suffix of ``path``.

    Raises:
        InputError: the folder is missing or not writable, the disk is full, or ``path`` is not an ordinary file.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise InputError(f"{path} cannot be written (it is not an ordinary file); choose another name.")
    if not target.parent.is_dir():
        raise InputError(f"{path} cannot be written (there is no folder {path.parent}); create the folder first.")
    temporary = target.with_name(f".diptych-{secrets.token_hex(8)}.part")
    try:
        with writing_errors(path):
            # Opened by hand because tempfile makes files that only their owner may read.
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
        with writing_errors(path):
            _sync(temporary)
            temporary.replace(target)
            _sync(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
