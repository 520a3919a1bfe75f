"""What can be said of the Dockerfiles without building them; `make test-image` builds and runs one."""

from __future__ import annotations

import re

import pytest


@pytest.fixture(params=['Dockerfile', 'Dockerfile.cu111'])
def dockerfile(repository, request) -> str:
    path = repository / request.param
    if not path.exists():
        pytest.skip(f'{path.name} is not there yet')
    return path.read_text(encoding='utf-8')


def test_the_version_is_the_project_s(repository, dockerfile):
    project = (repository / 'pyproject.toml').read_text(encoding='utf-8')
    assert re.findall(r'^ARG VERSION=(.+)$', dockerfile, re.M) == re.findall(r'^version = "(.+)"$', project, re.M)


def test_what_is_copied_exists_and_is_not_ignored(repository, dockerfile):
    sources = [
        source
        for line in re.findall(r'^COPY (?!--from)(.+)$', dockerfile, re.M)
        for source in line.split()[:-1]
        if '$' not in source
    ]
    ignored = (repository / '.dockerignore').read_text(encoding='utf-8').split('\n')
    code = {'start.py', 'demo/', 'desk/', 'executor/', 'mining/', 'proof/', 'configs/'}
    assert {*code, 'docker/start.sh', 'docker/task', 'docker/proof'} <= set(sources)
    assert [source for source in sources if not (repository / source).exists()] == []
    assert [source for source in sources if source.split('/')[0] in ignored] == []


def test_weights_are_named_by_make_and_by_the_image(repository, dockerfile):
    makefile = (repository / 'Makefile').read_text(encoding='utf-8')
    assert '--build-arg WEIGHTS="$(WEIGHTS)"' in makefile
    assert re.search(r'fetch_weights.py /weights \$\{WEIGHTS\} \$\{WEIGHTS_URLS\} &&', dockerfile)
    stage = re.split(r'^FROM .*$', dockerfile, flags=re.M)[-1]
    assert 'ymir-mmdet.weights="${WEIGHTS} ${WEIGHTS_URLS}"' in stage
    assert re.findall(r'^ARG (WEIGHTS\w*)=', stage, re.M) == ['WEIGHTS', 'WEIGHTS_URLS']


def test_the_last_stage_runs_no_package_manager(dockerfile):
    stage = re.split(r'^FROM .*$', dockerfile, flags=re.M)[-1]
    assert 'COPY --from=builder' in stage
    assert not re.search(r'\b(apt-get|pip)\b', stage)
