"""Hold what weights tell of their own network."""

from __future__ import annotations

from typing import Mapping, NamedTuple


class HeldModel(NamedTuple):
    """What weights tell of their network, which a config would otherwise have to say."""

    name: str  # the network's, in words
    config_file: str  # ours of the nearest network
    head: str  # the type of the head of configs that can be made to fit
    changes: Mapping[str, object]  # to the `model` of such a config
    needed: Mapping[str, Mapping[str, object]] = {}  # what parts of that say already: size of input and schedule follow
