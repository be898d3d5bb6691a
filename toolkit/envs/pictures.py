"""Frames as pictures for a page: film strips as PNG, animations as GIF or MP4."""

from __future__ import annotations

import importlib.util
import io
import math
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from toolkit.drafts import draft_of
from toolkit.errors import UserError

PAPER, INK = (255, 255, 255), (31, 41, 51)


def film_strip(frames: np.ndarray, labels: Sequence[str] | None = None, *, count: int = 6):
    """A `PIL.Image` of up to `count` equally spaced frames side by side, on white.

    Frames are `(n, height, width, 3)`, uint8; `labels` are n short texts that go under them.

    Raises:
        UserError: the frames have another shape or type, there are not as many labels as frames,
            `count` is below 1, or Pillow is not installed.
    """
    frames, pillow = _checked_frames(frames), _pillow()
    if labels is not None and len(labels) != len(frames):
        raise UserError(f"{len(frames)} frames need as many labels, got {len(labels)}.")
    if count < 1:
        raise UserError(f"`count` must be at least 1, got {count}.")
    total, height, width = frames.shape[:3]
    chosen = np.linspace(0, total - 1, min(count, total)).round().astype(int)
    gap, text = max(2, width // 80), max(11, height // 14)
    below = 2 * text if labels is not None else 0
    strip = pillow.Image.new("RGB", (len(chosen) * (width + gap) - gap, height + below), PAPER)
    draw, font = pillow.ImageDraw.Draw(strip), pillow.ImageFont.load_default(size=text)
    for place, index in enumerate(chosen):
        left = place * (width + gap)
        strip.paste(pillow.Image.fromarray(frames[index]), (left, 0))
        if labels is not None:
            middle = (left + width // 2, height + text)
            draw.text(middle, labels[index], fill=INK, font=font, anchor="mm")
    return strip


def write_film_strip(
    path: str | Path, frames: np.ndarray, labels: Sequence[str] | None = None, *, count: int = 6
) -> Path:
    """Write `film_strip` as PNG and return the path.

    Raises:
        UserError: as for `film_strip`; or the name does not end in .png, or cannot be written.
    """
    path, strip = Path(path), film_strip(frames, labels, count=count)
    if path.suffix.lower() != ".png":
        raise UserError(f"{path}: a film strip is written as .png.")
    buffer = io.BytesIO()
    strip.save(buffer, "PNG", optimize=True)
    with draft_of(path) as draft:
        draft.write_bytes(buffer.getbuffer())
    return path


def write_animation(path: str | Path, frames: np.ndarray, fps: int | float) -> Path:
    """Write frames `(n, height, width, 3)`, uint8, as .gif or .mp4 and return the path.

    A GIF has one palette for all frames, and frame times in whole hundredths of a second; frames
    that do not change are joined to one that stays longer.

    Raises:
        UserError: another suffix, frames or a rate that cannot be shown, a package is missing, or
            the file cannot be written.
    """
    path, frames = Path(path), _checked_frames(frames)
    if not 0 < fps <= 240:
        raise UserError(f"`fps` must lie between 0 and 240, got {fps:g}.")
    writers = {".gif": _write_gif, ".mp4": _write_mp4}
    if path.suffix.lower() not in writers:
        raise UserError(f"{path}: an animation is written as .gif or .mp4.")
    return writers[path.suffix.lower()](path, frames, fps)


def _write_gif(path: Path, frames: np.ndarray, fps: int | float) -> Path:
    if fps > 50:
        raise UserError(f"{path}: a GIF shows at most 50 frames a second, got {fps:g}; take every "
                        "second frame, or more.")  # fmt: skip
    image = _pillow().Image
    sparse = math.ceil(math.sqrt(frames[..., 0].size / 1e6))  # a million pixels tell the colours
    sample = frames[:, ::sparse, ::sparse]
    palette = image.fromarray(sample.reshape(-1, *sample.shape[2:])).quantize(128)
    first, *rest = (
        image.fromarray(frame).quantize(palette=palette, dither=image.Dither.NONE)
        for frame in frames
    )
    buffer, hundredths = io.BytesIO(), max(2, round(100 / fps))
    first.save(
        buffer, "GIF", save_all=True, append_images=rest, duration=10 * hundredths, loop=0,
        optimize=False,
    )  # fmt: skip
    with draft_of(path) as draft:
        draft.write_bytes(buffer.getbuffer())
    return path


def _write_mp4(path: Path, frames: np.ndarray, fps: int | float) -> Path:
    if not (importlib.util.find_spec("imageio") and importlib.util.find_spec("imageio_ffmpeg")):
        raise UserError(f"{path}: writing MP4 needs pip install imageio imageio-ffmpeg; "
                        "or write .gif instead.")  # fmt: skip
    import imageio.v3 as iio

    height, width = frames.shape[1:3]  # the codec wants even sides
    even = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    with draft_of(path) as draft:
        iio.imwrite(draft, even, plugin="FFMPEG", fps=fps, macro_block_size=2)
    return path


def _checked_frames(frames: np.ndarray) -> np.ndarray:
    frames = np.asarray(frames)
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not frames.size:
        raise UserError("Frames are pixels (frames, height, width, 3) of type uint8, got "
                        f"{frames.shape} of {frames.dtype}.")  # fmt: skip
    return frames


def _pillow() -> ModuleType:
    try:
        import PIL
        import PIL.Image
        import PIL.ImageDraw
        import PIL.ImageFont
    except ImportError as error:
        raise UserError(f"Pillow cannot be imported ({error}); pip install pillow.") from None
    return PIL
