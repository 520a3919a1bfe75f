"""Read darknet's weight files: a short header, then numbers in the order of a network that the file does not name."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Dict

import torch

from executor.contract.errors import ModelError
from executor.contract.regular_file import read_regular
from executor.models import families

DARKNET_SUFFIX = '.weights'

_VERSION = struct.Struct('<3i')  # major, minor, revision
_MOST_BYTES = 2**31  # twice the largest network of darknet's
_NUMBER = 4  # bytes


def read_darknet(path: Path) -> Dict[str, torch.Tensor]:
    """Read the parameters under mmdet's names; how many numbers there are says of which network they are.

    Raises:
        ModelError: it is no such file, is cut off, or of a network that is not known.
    """
    try:
        content = read_regular(path, _MOST_BYTES)
    except OSError as error:
        raise ModelError(f'{path} cannot be read ({os.strerror(error.errno or 0)}): copy it again')
    start = _header_size(content)
    count, rest = divmod(len(content) - start, _NUMBER)
    if count <= 0 or rest:
        raise ModelError(f'{path} is no weight file of darknet, or is cut off ({len(content)} bytes): copy it again')
    layouts = [layout for family in families.FAMILIES for layout in family.number_layouts]
    layout = next((layout for layout in layouts if layout.fits(count)), None)
    if layout is None:
        raise ModelError(
            f'{path} holds {count} numbers, as none of {", ".join(layout.name for layout in layouts)} does: it is '
            'cut off, or of a network of darknet that is not read: copy it again, or choose another'
        )
    return layout.to_mmdet(torch.frombuffer(bytearray(content), dtype=torch.float32, offset=start, count=count))


def _header_size(content: bytes) -> int:
    """Give the bytes before the numbers: the version, and how many images were seen, whose width it decides."""
    if len(content) < _VERSION.size:
        return len(content)
    major, minor, _ = _VERSION.unpack_from(content)
    return _VERSION.size + (8 if major * 10 + minor >= 2 else 4)
