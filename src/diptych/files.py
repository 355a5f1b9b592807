"""Writing files so that a kill at any moment leaves the old file or the new one, never half of one."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from diptych.types import InputError

_DRAFT = re.compile(r"\..+\.[0-9a-f]{8}\.part(\.\w+)?")


@contextlib.contextmanager
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
        raise InputError(
            f"{path} cannot be written ({reason}); free some space, or choose another folder or name."
        ) from error


def save_tensors(tensors: dict[str, Any], path: Path, header: dict[str, str] | None = None) -> None:
    """Writes a safetensors file; what keeps it from being written is an ``OSError``, as with any other file.

    Raises:
        OSError: the disk is full, or the like.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file(tensors, path, metadata=header)
    except SafetensorError as error:
        raise OSError(errno.EIO, str(error)) from None


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


@contextlib.contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """Yields a temporary folder; what was written there appears as ``folder`` at the end, whole or not at all.

    A kill leaves ``folder.part`` behind, which the next call for the same folder removes.
    """
    draft = folder.with_name(folder.name + ".part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        yield draft
        for file in (path for path in draft.rglob("*") if path.is_file()):
            with file.open("rb") as written:
                os.fsync(written.fileno())
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def sweep(path: Path) -> None:
    """Removes drafts of ``path`` that killed writers left; only for who knows that nobody is writing it."""
    for draft in path.parent.glob(f".{glob.escape(path.stem)}.????????.part{glob.escape(path.suffix)}"):
        draft.unlink(missing_ok=True)


def sweep_below(folder: Path) -> None:
    """Removes every draft that killed writers left in a folder and below; only for who holds the folder's lock."""
    for path in folder.rglob(".*.part*"):
        if _DRAFT.fullmatch(path.name):
            path.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Writes readable JSON atomically.

    Raises:
        InputError: if it cannot be written.
    """
    with writing_errors(path), replacing(path) as draft:
        draft.write_text(json.dumps(value, indent=2, default=str) + "\n", encoding="utf-8")


def read_record(path: Path) -> dict[str, Any] | None:
    """A JSON object that a job wrote down; None where none can be read, so that its item is done again."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


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
