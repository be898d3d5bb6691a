"""Pictures as JPEG bytes, small enough for where they go."""

from __future__ import annotations

import base64
import io
import struct
import zlib

import numpy as np

from toolkit.errors import UserError

_QUALITIES = (85, 75, 60, 45, 30)


def jpegs(frames: np.ndarray, limit: int) -> list[bytes]:
    """Each of the frames `(n, height, width, 3)`, uint8, as JPEG, at most `limit` bytes together.

    The quality is the best of five for which they fit.

    Raises:
        UserError: the frames have another shape or type, do not fit at the lowest quality either,
            or Pillow is not installed.
    """
    check_frames("frames", frames)
    try:
        from PIL import Image
    except ImportError as error:
        raise UserError(f"Pillow cannot be imported ({error}); pip install pillow.") from None
    size = 0
    for quality in _QUALITIES:
        coded = [_jpeg(Image.fromarray(frame), quality) for frame in frames]
        size = sum(map(len, coded))
        if size <= limit:
            return coded
    raise UserError(
        f"{len(frames)} frames of {frames.shape[1]} x {frames.shape[2]} pixels take "
        f"{size / 1e6:.2g} MB and {limit / 1e6:.2g} MB is the limit; make them smaller or fewer."
    )


def shrunk(frames: np.ndarray, height: int) -> np.ndarray:
    """The frames no taller than `height` pixels, in the same proportions.

    Raises:
        UserError: the frames have another shape or type, or Pillow is not installed.
    """
    check_frames("frames", frames)
    try:
        from PIL import Image
    except ImportError as error:
        raise UserError(f"Pillow cannot be imported ({error}); pip install pillow.") from None
    if frames.shape[1] <= height:
        return frames
    size = max(1, round(frames.shape[2] * height / frames.shape[1])), height
    small = [Image.fromarray(f).resize(size, Image.Resampling.LANCZOS) for f in frames]
    return np.stack([np.asarray(image) for image in small])


def enlarged_png(picture: np.ndarray, factor: int) -> bytes:
    """A picture `(height, width, 3)`, uint8, as PNG in which each pixel is a square of so many.

    Viewers smooth a picture that they enlarge; one that is large already stays pixel by pixel.
    Written here, because Pillow does not come with the notebooks' packages.

    Raises:
        UserError: the picture has another shape or type.
    """
    check_frames("picture", picture[None])
    large = picture.repeat(factor, axis=0).repeat(factor, axis=1)
    height, width, _ = large.shape
    rows = np.full(
        (height, 1 + 3 * width), 2, np.uint8
    )  # each led by its filter: less the one above
    rows[:, 1:] = np.diff(large.reshape(height, -1), axis=0, prepend=np.zeros((1, 3 * width), "u1"))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits, RGB
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def data_uri(picture: bytes, kind: str = "jpeg") -> str:
    """A JPEG or PNG as text that stands where an address of a picture may."""
    return f"data:image/{kind};base64," + base64.b64encode(picture).decode()


def check_frames(name: str, frames: np.ndarray) -> None:
    """Refuse what is not pictures.

    Raises:
        UserError: the array is not `(n, height, width, 3)` of type uint8, or is empty.
    """
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8 or not frames.size:
        raise UserError(
            f"`{name}` must be pixels (n, height, width, 3) of type uint8, got {frames.shape} of "
            f"{frames.dtype}."
        )


def _jpeg(image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
