"""Write the best stage as an ONNX graph with its description, at the end of a training, where its detector can be."""

from __future__ import annotations

import json
import logging
import time
from typing import Dict, Mapping, Optional

from executor.contract.params import InferParams, TrainParams
from executor.contract.shown import first_line
from executor.detector.export import NotExported, export_detector
from executor.detector.model import LoadedModel, load_model
from executor.training.metric import Validation
from executor.training.stage_store import StageStore

logger = logging.getLogger(__name__)


def load_best(store: StageStore, params: TrainParams) -> Optional[LoadedModel]:
    """Load the best stage as inference would, on the CPU; None with a warning where that fails."""
    stage = store.best
    files = tuple(store.result.stage_dir(stage.stage.name) / file for file in stage.written)
    try:
        return load_model(InferParams(params.class_names, (), files))
    except Exception as error:  # what follows is an extra
        told = 'the best model is not looked at again: it cannot be loaded: %s: %s'
        logger.warning(told, type(error).__name__, first_line(error))
        return None


def export_best(store: StageStore, params: TrainParams, validation: Optional[Validation], trained: LoadedModel) -> None:
    """Add `<stage>.onnx` and `<stage>.json` to the best stage; where that fails, say why in a line.

    `trained` is the best stage, `validation` its validation, None where this run has not validated it.
    """
    best, started = store.best, time.monotonic()
    name = best.stage.name
    if params.export_onnx == 'off' or f'{name}.onnx' in best.written:
        return
    folder = store.result.stage_dir(name)
    try:
        exported = export_detector(trained, params.class_names)
        description = {'stage': name, **exported.description, 'thresholds': _thresholds(params, validation)}
        text = json.dumps(description, ensure_ascii=False, indent=1)
        content = {f'{name}.onnx': exported.graph, f'{name}.json': text.encode('utf-8', errors='backslashreplace')}
        store.extend(best, content)
    except NotExported as error:
        logger.info('no ONNX graph is written of %s: %s', name, error)
    except Exception as error:  # it is an extra: whatever goes wrong in it must not cost a training that is done
        logger.warning('no ONNX graph is written of %s: %s: %s', name, type(error).__name__, first_line(error))
    else:
        told = 'ONNX graph of %s: %s, with its description beside it (%.1f s); an image takes %.1f ms in it on one core'
        seconds = time.monotonic() - started
        logger.info(told, name, folder / f'{name}.onnx', seconds, exported.milliseconds)


def _thresholds(params: TrainParams, validation: Optional[Validation]) -> Optional[Mapping[str, object]]:
    """Give the scores of highest F1, of the whole model and of each class; None where nothing is found or known."""
    details = None if validation is None else validation.evaluation.details
    if details is None or not details.best.f1:
        return None
    own = details.counts.at(details.counts.best_levels)
    classes: Dict[str, Optional[float]] = {
        name: at.threshold if at.f1 else None for name, at in zip(params.class_names, own)
    }
    return {'all': details.best.threshold, 'classes': classes}
