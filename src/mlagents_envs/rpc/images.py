"""Image observations: PNG files and their channels, and the order of the axes.

Unity packages up to 2.x send (height, width, channels), later ones (channels, height, width), under the same
version of the protocol. Everything here gives (channels, height, width).
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mlagents_envs.exception import UnityObservationException

PNG_HEADER = b"\x89PNG\r\n\x1a\n"

LARGEST_SIDE = 8192
"""Most pixels to a side that are decoded."""


def png_size(data: bytes) -> tuple[int, int] | None:
    """Return (height, width), which the head of a PNG file claims; None if `data` do not start like one."""
    if len(data) < 24 or not data.startswith(PNG_HEADER):
        return None
    return int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big")


def split_pngs(data: bytes) -> list[bytes]:
    """Return the PNG files that stand back to back in `data`.

    Raises:
      UnityObservationException: `data` do not start with one, or one is cut short.
    """
    if not data.startswith(PNG_HEADER):
        raise UnityObservationException(
            f"A compressed observation must start with the PNG signature; got {data[:8]!r} ({len(data)} bytes in all)."
        )
    files = []
    start = 0
    while start >= 0:
        end = _png_end(data, start)
        files.append(data[start:end])
        start = data.find(PNG_HEADER, end)
    return files


def _png_end(data: bytes, start: int) -> int:
    offset = start + len(PNG_HEADER)
    while offset + 12 <= len(data):
        size = int.from_bytes(data[offset : offset + 4], "big")
        kind = data[offset + 4 : offset + 8]
        offset += 12 + size  # length, type and checksum take 4 bytes each
        if kind == b"IEND":
            return offset
    raise UnityObservationException(
        f"The PNG file at byte {start} of a compressed observation is cut short ({len(data)} bytes in all)."
    )


def _pixels(file: bytes, size: tuple[int, int] | None) -> NDArray[np.uint8]:
    """Return the RGB values of one PNG file, uint8 [height, width, 3]."""
    claimed = png_size(file)
    if claimed is None or (size is not None and claimed != size) or max(claimed) > LARGEST_SIDE:
        raise UnityObservationException(
            f"A PNG of a compressed observation has (height, width) {claimed}; "
            f"expected {size or f'at most {LARGEST_SIDE}'}."
        )
    try:
        with Image.open(io.BytesIO(file), formats=("PNG",)) as image:
            return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    except Exception as error:  # damaged files make Pillow raise almost anything, SyntaxError included
        raise UnityObservationException(f"A PNG of a compressed observation cannot be decoded: {error}") from error


def process_pixels(
    image_bytes: bytes, expected_channels: int, mappings: Sequence[int] | None = None
) -> NDArray[np.float32]:
    """Decode a compressed observation.

    Args:
      image_bytes: PNG files back to back, 3 channels each.
      expected_channels: C of the observation.
      mappings: for each channel of the files the channel of the observation that it goes to, -1 for none;
        channels with the same target are averaged. None or empty: the first C channels, and for C = 1 the
        mean of the first file.

    Returns: float32 [C, height, width], values from 0 to 1.

    Raises:
      UnityObservationException: the files cannot be decoded or do not give C channels.
    """
    return decode_image(image_bytes, expected_channels, mappings or (), None)


def decode_image(
    data: bytes, channels: int, mapping: Sequence[int], size: tuple[int, int] | None
) -> NDArray[np.float32]:
    """Do as `process_pixels` for images of (height, width) `size`, which is checked before decoding."""
    files = split_pngs(data)
    if not mapping:
        needed = max(1, -(-channels // 3))  # ceil: the rest is padding
        if len(files) < needed:
            raise UnityObservationException(
                f"{channels} channels need {needed} PNG files of 3 channels each; got {len(files)}."
            )
        files = files[:needed]
    elif len(mapping) != 3 * len(files):
        raise UnityObservationException(
            f"compressed_channel_mapping has {len(mapping)} entries; expected {3 * len(files)}, "
            f"3 for each of {len(files)} PNG files."
        )
    images = [_pixels(file, size) for file in files]
    if any(image.shape != images[0].shape for image in images):
        raise UnityObservationException(
            f"The PNG files of one observation have different sizes: {[image.shape[:2] for image in images]}."
        )
    stacked = images[0] if len(images) == 1 else np.concatenate(images, axis=2)
    planes = stacked.transpose(2, 0, 1)  # [3 files, H, W]
    if mapping:
        return _map_channels(planes, channels, mapping)
    if channels == 1:
        return _mean(planes)[np.newaxis]
    return np.ascontiguousarray(np.divide(planes[:channels], 255, dtype=np.float32))


def _mean(planes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the mean over the first axis; of equal bytes k exactly k / 255."""
    mean: NDArray[np.float32] = np.divide(planes.mean(axis=0), 255, dtype=np.float32)
    return mean


def _map_channels(planes: NDArray[np.uint8], channels: int, mapping: Sequence[int]) -> NDArray[np.float32]:
    sources = np.asarray(mapping)
    if set(mapping) - {-1} != set(range(channels)):
        raise UnityObservationException(
            f"compressed_channel_mapping {list(mapping)} must name each channel from 0 to {channels - 1}; "
            "beside them only -1 is allowed."
        )
    return np.stack([_mean(planes[sources == channel]) for channel in range(channels)])


def encode_png(image: NDArray[np.float32]) -> bytes:
    """Return an image [C, height, width] with values from 0 to 1 as PNG files back to back, 3 channels each.

    One channel becomes a gray RGB file, whose mean the reader takes; other counts are padded with zeros.
    """
    channels, height, width = image.shape
    values = np.rint(np.clip(image, 0.0, 1.0) * 255).astype(np.uint8).transpose(1, 2, 0)  # [H, W, C]
    if channels == 1:
        values = np.repeat(values, 3, axis=2)
    files = -(-values.shape[2] // 3)
    padded = np.zeros((height, width, 3 * files), np.uint8)
    padded[:, :, : values.shape[2]] = values
    out = io.BytesIO()
    for first in range(0, 3 * files, 3):
        Image.fromarray(np.ascontiguousarray(padded[:, :, first : first + 3])).save(out, "PNG")
    return out.getvalue()


def channels_last(
    shape: Sequence[int],
    properties: Sequence[int],
    package_version: str | None,
    png: bytes | None = None,
) -> bool:
    """Return whether a rank-3 observation comes as (height, width, channels).

    Args:
      shape: as sent.
      properties: `dimension_properties` as sent: translational equivariance (2) marks height and width.
      package_version: of the Unity package; None if unknown, as in .demo files.
      png: the compressed data, if any.
    """
    equivariant = [flags & 2 for flags in properties]
    if equivariant in ([2, 2, 0], [0, 2, 2]):
        return equivariant == [2, 2, 0]
    major = (package_version or "").partition(".")[0]
    if major.isdecimal():
        return major.lstrip("0") in ("", "1", "2")
    size = png_size(png) if png else None
    if size is not None and tuple(shape[:2]) != tuple(shape[1:]):
        return tuple(shape[:2]) == size
    return not properties  # packages before 2.0 left the properties out
