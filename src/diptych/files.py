"""Writing files so that a kill at any moment leaves the old file or the new one, never half of one."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from diptych.types import InputError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path in the same folder; what was written there takes ``path``'s place at the end.

    The temporary name keeps the suffix, since writers choose formats by it. On any error the temporary file is removed
    and ``path`` is as it was.
    """
    path = Path(path)
    draft = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.part{path.suffix}")
    try:
        yield draft
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def sweep(path: Path) -> None:
    """Removes drafts of ``path`` that killed writers left; only for who knows that nobody is writing it."""
    for draft in path.parent.glob(f".{glob.escape(path.stem)}.????????.part{glob.escape(path.suffix)}"):
        draft.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Writes readable JSON atomically."""
    with replacing(path) as draft:
        draft.write_text(json.dumps(value, indent=2, default=str) + "\n", encoding="utf-8")


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a folder's lock file; a second start on the same folder is refused, a killed holder leaves nothing locked.

    Raises:
        InputError: if another process holds it.
    """
    import fcntl

    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{path.parent} is in use by another run; wait for it, or name another folder.") from None
        yield
