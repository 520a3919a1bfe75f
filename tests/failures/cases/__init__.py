"""The rows of the failure matrix, by area."""

# Without `from __future__ import annotations`: the name is that of a module here.

from dataclasses import replace
from typing import Dict, Tuple

from tests.failures.case import Case
from tests.failures.cases import (
    annotations,
    contract,
    files_with_code,
    images,
    index,
    machine,
    models,
    options,
    options_with_code,
    packages_with_code,
    parameters,
)
from tests.failures.cases.open import OPEN


def _marked(*cases: Case) -> Tuple[Case, ...]:
    return tuple(replace(case, xfail=OPEN.get(case.id, '')) for case in cases)


AREAS: Dict[str, Tuple[Case, ...]] = {
    'The platform’s settings: env.yaml': _marked(*contract.CASES),
    'Parameters: config.yaml': _marked(*parameters.CASES),
    'Parameters: cfg_options and args_options': _marked(*options.CASES),
    'Index files': _marked(*index.CASES),
    'Annotations': _marked(*annotations.CASES),
    'Images': _marked(*images.CASES),
    'Models': _marked(*models.CASES),
    'What would run code': _marked(*files_with_code.CASES, *packages_with_code.CASES, *options_with_code.CASES),
    'The machine': _marked(*machine.CASES),
}
