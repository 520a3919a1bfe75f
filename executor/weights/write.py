"""Write weights for the platform."""

from __future__ import annotations

import io
from collections import OrderedDict
from pathlib import Path
from typing import Mapping

import torch

from executor.contract.output.files import replace_file


def save_weights(path: Path, parameters: Mapping[str, torch.Tensor], meta: Mapping[str, object]) -> None:
    """Write parameters and plain facts, no optimizer; whole or not at all."""
    parameters = OrderedDict((name, value.detach().cpu()) for name, value in parameters.items())
    content = io.BytesIO()  # a full disk is then an OSError, which torch's own writer makes into something else
    torch.save({'meta': dict(meta), 'state_dict': parameters}, content)
    replace_file(path, content.getvalue())
