"""The rows of the failure matrix, by area."""

# Without `from __future__ import annotations`: the name is that of a module here.

from typing import Dict, Tuple

from tests.failures.case import Case
from tests.failures.cases import (
    annotations,
    contract,
    files_with_code,
    images,
    index,
    machine,
    mmdet2,
    models,
    options,
    options_with_code,
    packages_with_code,
    parameters,
    results,
)

AREAS: Dict[str, Tuple[Case, ...]] = {
    'The platform’s settings: env.yaml': contract.CASES,
    'Parameters: config.yaml': parameters.CASES,
    'Parameters: cfg_options and args_options': options.CASES,
    'Index files': index.CASES,
    'Annotations': annotations.CASES,
    'Images': images.CASES,
    'Models': models.CASES + mmdet2.CASES,
    'What would run code': files_with_code.CASES + packages_with_code.CASES + options_with_code.CASES,
    'Results that are there already': results.CASES,
    'The machine': machine.CASES,
}
