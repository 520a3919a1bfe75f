"""Hold README.md, CONTRIBUTING.md, docs/ and the other pages against what they are about."""

from __future__ import annotations

import dataclasses
import re

import pytest
import yaml

from executor.contract.env import read_env
from executor.contract.params import InferParams, MiningParams, TrainParams
from tests.conftest import REPOSITORY

DOCUMENTS = sorted(REPOSITORY.glob('docs/*.md'))
FOLDERS = ('', 'docs/', 'docs/zh/', 'docker/', 'tests/')
PAGES = sorted(page for folder in FOLDERS for page in REPOSITORY.glob(f'{folder}*.md'))
# Folders whose files pages name as code; `configs/` may be mmdet's, too.
OURS = 'desk|proof|executor|mining|tests|docs|docker|requirements|benchmarks'

each_page = pytest.mark.parametrize('page', PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())


def read(place):
    return (REPOSITORY / place).read_text(encoding='utf-8')


def without_code(text):
    """The text of a page but for its code, in blocks and in lines."""
    return re.sub(r'(`+)(?!`).+?(?<!`)\1(?!`)', '', re.sub(r'^```.*?^```', '', text, flags=re.M | re.S))


def anchors(text):
    """The names that GitHub gives the headings of a page."""
    headings = re.findall(r'^#+ (.+)$', re.sub(r'^```.*?^```', '', text, flags=re.M | re.S), re.M)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


@pytest.mark.parametrize('page', ['README.md', 'README.zh-CN.md'])
def test_the_readme_is_short(page):
    assert len(read(page).splitlines()) <= 150


def test_the_readme_leads_to_every_document():
    linked = set(re.findall(r'\]\((docs/[a-z/]+\.md)\)', read('README.md')))
    assert linked == {f'docs/{page.name}' for page in DOCUMENTS}


def test_the_chinese_readme_leads_to_every_document_in_chinese_where_it_is():
    linked = set(re.findall(r'\]\((docs/[a-z/]+\.md)\)', read('README.zh-CN.md')))
    translated = {page.name for page in REPOSITORY.glob('docs/zh/*.md')}
    assert linked == {f'docs/{"zh/" if page.name in translated else ""}{page.name}' for page in DOCUMENTS}


@each_page
def test_every_link_leads_somewhere(page):
    links = re.findall(r'\]\(([^)\s]+)\)', without_code(page.read_text(encoding='utf-8')))
    lost = []
    for link in (link for link in links if not link.startswith('https://')):
        name, _, anchor = link.partition('#')
        target = page.parent / name if name else page
        if not target.is_file() or (anchor and anchor not in anchors(target.read_text(encoding='utf-8'))):
            lost.append(link)
    assert lost == []


@each_page
def test_every_file_of_ours_that_is_named_is_there(page):
    named = re.findall(rf'`((?:{OURS})/[\w./-]*)`', page.read_text(encoding='utf-8'))
    assert [name for name in named if not (REPOSITORY / name).exists()] == []


@each_page
def test_every_make_command_exists(page):
    told = re.findall(r'(?:`|^ {4})make ([a-z0-9-]+)', page.read_text(encoding='utf-8'), re.M)
    assert set(told) <= set(re.findall(r'^([a-z0-9-]+):', read('Makefile'), re.M))


def test_the_rooms_are_all_the_folders_of_the_code():
    told = re.findall(r'^\| `(executor/\w+)/` \|', read('docs/architecture.md'), re.M)
    assert sorted(told) == sorted(
        {path.parent.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.glob('executor/*/*.py')}
    )


@pytest.mark.parametrize(
    'page, headings',
    [('docs/parameters.md', ('Training', 'Inference', 'Mining')), ('docs/zh/parameters.md', ('训练', '推理', '挖掘'))],
)
@pytest.mark.parametrize(
    'place, task, params', [(0, 'training', TrainParams), (1, 'infer', InferParams), (2, 'mining', MiningParams)]
)
def test_the_parameters_are_those_of_the_templates_and_of_the_code(page, headings, place, task, params):
    heading = headings[place]
    section = read(page).split(f'\n## {heading}\n')[1].split('\n## ')[0]
    told = re.findall(r'^\| `(\w+)` \| (?:`(.+?)`)? ?\| \S.* \| \S.* \|$', section, re.M)
    template = yaml.safe_load(read(f'{task}-template.yaml'))
    assert told == [(key, 'false' if value is False else str(value)) for key, value in template.items()]
    assert {key for key, _ in told} == {field.name for field in dataclasses.fields(params) if 'parse' in field.metadata}


def test_the_env_file_to_copy_is_one(tmp_path):
    path = tmp_path / 'env.yaml'
    path.write_text(read('docs/images.md').split('```yaml\n')[1].split('```')[0], encoding='utf-8')
    env = read_env(path)
    assert (env.run_training, env.run_mining, env.run_infer, env.protocol) == (True, False, False, (1, 1))
    assert str(env.input.training_index_file) == '/in/train-index.tsv' and env.input.candidate_index_file is None
