"""Picture files in and out, whatever a camera or a drawing program made of them."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

from diptych.files import writing_errors
from diptych.media.atomic import output_file
from diptych.media.bounds import check_size
from diptych.types import InputError, Picture

# Named one by one because Pillow would also hand files to outside programs (EPS) or to formats nobody checks.
_READABLE = ("PNG", "JPEG", "MPO", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "PPM")

_WRITABLE = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}


def read_image(path: Path, *, background: tuple[int, int, int] = (255, 255, 255)) -> Picture:
    """Read a picture as upright sRGB.

    The EXIF orientation is applied, colour profiles and CMYK are converted to sRGB, 16 bits are scaled to 8, grey is
    repeated on three channels, and of an animation the first frame is taken.

    Args:
        path: PNG, JPEG, WebP, AVIF (where Pillow has it), GIF, BMP, TIFF or PPM.
        background: RGB behind transparent pixels. White by default: pictures without a background are drawn for light
            pages, and their dark outlines vanish on anything darker.

    Returns:
        RGB, uint8, ``(h, w, 3)``.

    Raises:
        InputError: the file is missing, empty, damaged, no picture of these kinds, or too large.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; check the spelling of the path.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be opened ({error.strerror}); check that you may read it.") from error
    if not path.is_file():
        raise InputError(f"{path} is not an ordinary file; give a picture.")
    if size == 0:
        raise InputError(f"{path} is empty; save it again.")
    # Pillow warns of large sizes, which are checked below, and of small faults, which it mends.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(path, formats=_known()) as image:
                check_size(path, *image.size)
                return _over(_to_srgb(ImageOps.exif_transpose(image)), background)
        except InputError:
            raise
        except Image.DecompressionBombError as error:
            raise InputError(f"{path} is far too large for a picture; scale it down.") from error
        # Pillow's parsers let out whatever a damaged file makes them trip over, from KeyError to zlib.error.
        except Exception as error:
            raise InputError(f"{path} is not a picture that can be read; save it as PNG or JPEG.") from error


def write_image(path: Path, picture: Picture) -> None:
    """Write a picture; the file appears under its name only when it is complete.

    Args:
        path: ends in ``.png`` (lossless), ``.jpg`` or ``.jpeg`` (quality 95, full colour resolution).
        picture: RGB, uint8, ``(h, w, 3)``.

    Raises:
        ValueError: ``picture`` is of another shape or dtype.
        InputError: the suffix is none of the above, or the file cannot be written.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise ValueError(f"a picture of {picture.shape} {picture.dtype}, expected (h, w, 3) uint8")
    kind = _WRITABLE.get(path.suffix.lower())
    if kind is None:
        raise InputError(f"{path} cannot be written in that format; give it a name that ends in .png or .jpg.")
    image = Image.fromarray(np.ascontiguousarray(picture))
    with output_file(path) as temporary, writing_errors(path):
        if kind == "PNG":
            image.save(temporary, kind)
        else:
            image.save(temporary, kind, quality=95, subsampling=0)


def _known() -> tuple[str, ...]:
    Image.init()
    return tuple(kind for kind in _READABLE if kind in Image.OPEN)


def _to_srgb(image: Image.Image) -> Image.Image:
    """The same picture as 8-bit RGB or RGBA in sRGB."""
    if image.mode.startswith(("I", "F")):
        return _eight_bits(image)
    transparent = "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "La", "RGBa")
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "RGBA", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            mode = "RGBA" if image.mode == "RGBA" else "RGB"
            image = ImageCms.profileToProfile(image, source, target, outputMode=mode) or image
        except (ImageCms.PyCMSError, OSError):
            pass  # a broken profile: the plain conversion is what every viewer does then
    return image.convert("RGBA" if transparent else "RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits scaled to 8; Pillow's own conversion would clip instead."""
    grey = np.asarray(image).astype(np.float64)
    grey = np.nan_to_num(grey, nan=0.0, posinf=0.0, neginf=0.0)
    white = 65535.0
    if image.mode == "F":  # no agreed range: 0 to 1 if it fits, else 0 to 255
        white = 1.0 if grey.max() <= 1 else 255.0
    return Image.fromarray((grey * 255 / white).round().clip(0, 255).astype(np.uint8)).convert("RGB")


def _over(image: Image.Image, background: tuple[int, int, int]) -> Picture:
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, (*background, 255)), image).convert("RGB")
    return np.array(image, dtype=np.uint8)
