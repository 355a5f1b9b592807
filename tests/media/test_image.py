"""Pictures: upright sRGB whatever the file holds; refused in a sentence otherwise."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from diptych.media.image import read_image, write_image
from diptych.types import InputError

CORNERS = np.array([[(220, 30, 30), (30, 220, 30)], [(30, 30, 220), (220, 220, 30)]], np.uint8)


def smooth(height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """A picture that JPEG keeps well: three ramps."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)], -1).astype(np.uint8)


def test_png_keeps_every_pixel(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (31, 17, 3), dtype=np.uint8)
    write_image(tmp_path / "out.PNG", picture)
    assert np.array_equal(read_image(tmp_path / "out.PNG"), picture)
    assert [path.name for path in tmp_path.iterdir()] == ["out.PNG"]


@pytest.mark.parametrize("name", ["out.jpg", "out.jpeg"])
def test_jpeg_keeps_what_the_eye_sees(name: str, tmp_path: Path) -> None:
    write_image(tmp_path / name, smooth())
    error = np.abs(read_image(tmp_path / name).astype(int) - smooth())
    assert error.max() <= 12
    assert error.mean() < 1.5
    with Image.open(tmp_path / name) as image:
        assert image.format == "JPEG"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_kinds_are_told_by_content(kind: str, tmp_path: Path) -> None:
    Image.fromarray(smooth()).save(tmp_path / "picture", kind)
    tolerance = {"JPEG": 40, "WEBP": 40, "GIF": 60}.get(kind, 0)
    assert np.abs(read_image(tmp_path / "picture").astype(int) - smooth()).max() <= tolerance


# EXIF orientation -> how a viewer turns the stored picture.
ORIENTATIONS = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: np.rot90(p.swapaxes(0, 1), 2),
    8: lambda p: np.rot90(p, 1),
}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_exif_orientation_is_applied(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = CORNERS.repeat(8, 0).repeat(12, 1)
    Image.fromarray(stored).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "turned.png"), ORIENTATIONS[orientation](stored))


def test_transparent_pixels_show_the_background(tmp_path: Path) -> None:
    rgba = np.zeros((2, 3, 4), np.uint8)
    rgba[:, 0], rgba[:, 1] = (200, 30, 90, 255), (200, 30, 90, 128)
    Image.fromarray(rgba).save(tmp_path / "alpha.png")
    white = read_image(tmp_path / "alpha.png")[0].astype(int)
    assert np.array_equal(white[0], [200, 30, 90])
    assert np.abs(white[1] - [227, 142, 172]).max() <= 1
    assert np.array_equal(white[2], [255, 255, 255])
    green = read_image(tmp_path / "alpha.png", background=(0, 255, 0))[0]
    assert np.array_equal(green[2], [0, 255, 0])


def test_a_transparent_palette_shows_the_background(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, 200, 30, 90])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "palette.png", transparency=0)
    assert read_image(tmp_path / "palette.png").tolist() == [[[255, 255, 255], [200, 30, 90]]]


def test_grey_is_repeated_on_three_channels(tmp_path: Path) -> None:
    ramp = np.arange(256, dtype=np.uint8)[None]
    Image.fromarray(ramp).save(tmp_path / "grey.png")
    assert np.array_equal(read_image(tmp_path / "grey.png"), np.repeat(ramp[..., None], 3, -1))
    Image.fromarray(ramp > 127).save(tmp_path / "one_bit.png")
    assert set(read_image(tmp_path / "one_bit.png")[..., 0].ravel()) == {0, 255}


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_sixteen_bits_are_scaled_not_clipped(suffix: str, tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16)[None]
    Image.fromarray(ramp).save(tmp_path / f"deep.{suffix}")
    assert np.array_equal(read_image(tmp_path / f"deep.{suffix}")[0, :, 0], np.arange(256))


def test_floats_of_either_habit_are_scaled(tmp_path: Path) -> None:
    for top in (1, 255):
        Image.fromarray(np.linspace(0, top, 256, dtype=np.float32)[None]).save(tmp_path / "float.tiff")
        assert np.array_equal(read_image(tmp_path / "float.tiff")[0, :, 0], np.arange(256))


def test_sixteen_bit_colour_is_read(tmp_path: Path) -> None:
    """Pillow cannot write such a file; this is the smallest by hand."""
    rows = b"".join(b"\0" + struct.pack(">6H", 51400, 7710, 23130, 0, 65535, 32896) for _ in range(2))
    (tmp_path / "deep.png").write_bytes(png(struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0), rows))
    assert read_image(tmp_path / "deep.png")[0].tolist() == [[200, 30, 90], [0, 255, 128]]


def png(header: bytes, rows: bytes) -> bytes:
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def test_cmyk_is_converted(tmp_path: Path) -> None:
    inks = np.zeros((8, 32, 4), np.uint8)
    for column, ink in enumerate([(0, 0, 0, 0), (255, 0, 0, 0), (0, 255, 0, 0), (0, 0, 0, 255)]):
        inks[:, 8 * column : 8 * column + 8] = ink
    for kind in ("TIFF", "JPEG"):
        Image.fromarray(inks, mode="CMYK").save(
            tmp_path / "print", kind, **({"quality": 100} if kind == "JPEG" else {})
        )
        seen = read_image(tmp_path / "print")[4, 4::8].astype(int)
        assert np.abs(seen - [(255, 255, 255), (0, 255, 255), (255, 0, 255), (0, 0, 0)]).max() <= 6


def test_colour_profiles_are_applied_and_broken_ones_ignored(tmp_path: Path) -> None:
    picture = smooth()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()  # of another colour space: broken for RGB
    for profile in (srgb, lab, b"no profile at all"):
        Image.fromarray(picture).save(tmp_path / "profile.png", icc_profile=profile)
        assert np.abs(read_image(tmp_path / "profile.png").astype(int) - picture).max() <= 1


def test_a_wide_profile_changes_the_numbers(tmp_path: Path) -> None:
    """A profile with red and blue swapped: what is stored as red is meant as blue."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    entries = {bytes(profile[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    red, blue = entries[b"rXYZ"], entries[b"bXYZ"]
    profile[red + 4 : red + 12], profile[blue + 4 : blue + 12] = (
        profile[blue + 4 : blue + 12],
        profile[red + 4 : red + 12],
    )
    Image.new("RGB", (4, 4), (255, 0, 0)).save(tmp_path / "swapped.png", icc_profile=bytes(profile))
    assert np.abs(read_image(tmp_path / "swapped.png")[0, 0].astype(int) - [0, 0, 255]).max() <= 3


def test_the_first_frame_of_an_animation(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (8, 8), (250, 0, 0)), Image.new("RGB", (8, 8), (0, 0, 250))
    for kind in ("GIF", "WEBP", "PNG"):
        first.save(tmp_path / "moving", kind, save_all=True, append_images=[second])
        assert np.abs(read_image(tmp_path / "moving")[4, 4].astype(int) - [250, 0, 0]).max() <= 8


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_image(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_no_picture(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "none.png")
    assert "ordinary file" in refused(tmp_path)
    (tmp_path / "empty.png").touch()
    assert "is empty" in refused(tmp_path / "empty.png")
    (tmp_path / "words.png").write_text("words " * 100)
    assert "not a picture" in refused(tmp_path / "words.png")
    (tmp_path / "print.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n")
    assert "not a picture" in refused(tmp_path / "print.png")


def test_bombs_are_refused_before_they_go_off(tmp_path: Path) -> None:
    """A few bytes that claim a picture of gigabytes, and one just above the limit."""
    for size in ((60_000, 60_000), (16_385, 8), (12_000, 9_000)):
        header = struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
        (tmp_path / "bomb.png").write_bytes(png(header, bytes(1000)))
        assert "too large" in refused(tmp_path / "bomb.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF"])
def test_damaged_pictures_are_read_or_refused(kind: str, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(smooth()).save(buffer, kind)
    data = np.frombuffer(buffer.getvalue(), np.uint8)
    rng = np.random.default_rng(3)
    for _ in range(150):
        damaged = data[: rng.integers(1, len(data) + 1)].copy() if rng.random() < 0.3 else data.copy()
        places = rng.integers(0, len(damaged), rng.integers(0, 20))
        damaged[places] = rng.integers(0, 256, len(places))
        (tmp_path / "damaged").write_bytes(damaged.tobytes())
        try:
            picture = read_image(tmp_path / "damaged")
        except InputError:
            continue
        assert picture.dtype == np.uint8
        assert picture.ndim == 3


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends in \.png"):
        write_image(tmp_path / "out.xyz", smooth())
    with pytest.raises(InputError, match="no folder"):
        write_image(tmp_path / "missing" / "out.png", smooth())
    with pytest.raises(ValueError, match="expected"):
        write_image(tmp_path / "out.png", smooth()[..., 0])
    assert list(tmp_path.iterdir()) == []
