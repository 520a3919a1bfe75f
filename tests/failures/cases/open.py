"""Rows that do not hold yet, and why. Whoever makes one hold takes it out: the row then fails if it breaks again."""

from __future__ import annotations

from typing import Dict, Tuple

_UNTOLD = 'told as an unexpected '
_BUILDING = 'what fails while the model is built is not told as a mistake in cfg_options: '

OPEN: Dict[str, str] = {
    'env-path-null-byte': _UNTOLD + 'ValueError',
    'env-bomb': _UNTOLD + 'MemoryError, once the value is written out for the message',
    'env-merge-bomb': 'takes half a minute, 43 million times that for one more line',
    'parameter-bomb': _UNTOLD + 'MemoryError, once the value is written out for the message',
    'parameter-ymir_saved_file_patterns-a-99999999999': _UNTOLD + 'OverflowError of re.compile',
    'options-nested': _UNTOLD + 'RecursionError',
    'options-rate': _BUILDING + 'TypeError',
    'options-optimizer': _BUILDING + 'TypeError',
    'options-backbone': _BUILDING + 'KeyError',
    'options-unknown-argument': _BUILDING + 'TypeError',
    'options-unknown-argument-inference': _BUILDING + 'TypeError',
    'options-impossible-network': _BUILDING + 'ValueError',
    'options-classes': 'the number of classes may be set, and the loss then fails',
    'options-classes-inference': 'the number of classes may be set, and the weights are blamed',
    'options-size-inference': 'a network input of no size finds nothing, in silence',
    'options-rate-huge': 'a loss function asserts before the loss is looked at: RuntimeError',
    'index-name-too-long': _UNTOLD + 'OSError of is_file',
    'index-wrong-format': 'the message does not say that export_format may be wrong',
    'coco-long-number': _UNTOLD + 'ValueError of json',
    'model-name-too-long': _UNTOLD + 'OSError of is_file',
    'model-config-key': _UNTOLD + 'TypeError',
    'model-config-float': _UNTOLD + 'ValueError',
    'model-config-deep': 'the MemoryError of the parser is taken for the end of the memory',
    'model-config-model-list': _UNTOLD + 'AttributeError',
    'model-config-no-pipeline': _UNTOLD + 'KeyError',
    'machine-out-file': _UNTOLD + 'FileExistsError without remedy',
    'machine-models-file': _UNTOLD + 'NotADirectoryError without remedy',
    'machine-tensorboard-file': _UNTOLD + 'FileExistsError without remedy',
    'machine-result-folder': _UNTOLD + 'IsADirectoryError without remedy',
    'machine-monitor-folder': _UNTOLD + 'IsADirectoryError without remedy',
    'machine-read-only': _UNTOLD + 'FileNotFoundError without remedy',
    'machine-ranks': '--cpu-ranks is not checked',
    'machine-stopped-early': 'SIGTERM is only heeded while the worker runs: killed, and nothing is told',
}

# The same for corruptions: the text and the function that corrupts it.
OPEN_CORRUPTIONS: Dict[Tuple[str, str], str] = {
    ('training index', 'line_corruptions'): _UNTOLD + 'OSError of is_file',
}
