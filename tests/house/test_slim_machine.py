"""The core install asks nothing of the system's graphics: no library in it is linked to OpenGL or X."""

from __future__ import annotations

import re
import struct
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

DISPLAY = re.compile(r"lib(GL|EGL|GLX|OpenGL|GLESv2|X11|Xext|xcb|wayland-client|gtk-3|glib-2\.0)\.so")


def needed(library: Path) -> list[str]:
    """Names of the shared libraries that a 64-bit little-endian ELF file asks the loader for; [] for other files."""
    with library.open("rb") as file:

        def read(offset: int, form: str) -> tuple[int, ...]:
            file.seek(offset)
            return struct.unpack(form, file.read(struct.calcsize(form)))

        if file.read(6) != b"\x7fELF\x02\x01":
            return []
        headers_at, size, count = *read(32, "<Q"), *read(54, "<2H")
        headers = [read(headers_at + i * size, "<2I6Q") for i in range(count)]
        dynamic = next((header for header in headers if header[0] == 2), None)
        if dynamic is None:
            return []
        entries = [read(dynamic[2] + at, "<2Q") for at in range(0, dynamic[5], 16)]
        strings_in_memory = next(value for tag, value in entries if tag == 5)
        strings = next(
            strings_in_memory - header[3] + header[2]
            for header in headers
            if header[0] == 1 and header[3] <= strings_in_memory < header[3] + header[5]
        )

        def name_at(offset: int) -> str:
            file.seek(strings + offset)
            return file.read(256).split(b"\0")[0].decode()

        return [name_at(value) for tag, value in entries if tag == 1]


def core_distributions() -> set[str]:
    """Names of what ``pip install diptych`` brings, without extras."""
    found: set[str] = set()
    waiting = ["diptych"]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            requirements = distribution(name).requires or []
        except PackageNotFoundError:  # meant for another system
            continue
        found.add(name)
        plain = [text for text in requirements if not re.search(r"extra\s*==", text)]
        waiting += [re.match(r"[\w.-]+", text)[0].lower() for text in plain]  # type: ignore[index]
    return found


@pytest.mark.skipif(sys.platform != "linux" or sys.byteorder != "little", reason="reads ELF files")
def test_nothing_in_the_core_install_needs_a_display() -> None:
    libraries = {
        Path(str(file.locate()))
        for name in core_distributions()
        for file in distribution(name).files or ()
        if re.search(r"\.so(\.\d+)*$", file.name)
    }
    wants = {library: needed(library) for library in libraries if library.exists()}
    with_cv2 = [library for library in wants if "cv2" in library.parts]
    assert with_cv2, "OpenCV's library was not among those read"
    assert any("libc.so.6" in names for names in wants.values()), "the reader found no library that needs libc"
    assert not {str(library): names for library, names in wants.items() if any(map(DISPLAY.match, names))}


@pytest.mark.parametrize("name", ["libGL.so.1", "libEGL.so.1", "libX11.so.6", "libglib-2.0.so.0"])
def test_a_display_library_is_recognised(name: str) -> None:
    assert DISPLAY.match(name)
    assert not DISPLAY.match(f"libav{name}")
