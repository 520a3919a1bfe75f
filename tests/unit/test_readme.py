"""What README.md says exists."""

from __future__ import annotations

import re

import pytest
import yaml

from executor.contract.env import read_env


def test_every_path_of_the_rooms_table_exists(repository):
    table = (repository / 'README.md').read_text(encoding='utf-8').split('## Where to find what')[1]
    rooms = re.findall(r'^\| `([^`]+)` \|', table, re.M)
    assert len(rooms) > 8
    assert [room for room in rooms if not (repository / room).exists()] == []


def test_every_make_command_exists(repository):
    readme = (repository / 'README.md').read_text(encoding='utf-8')
    targets = re.findall(r'^([a-z0-9-]+):', (repository / 'Makefile').read_text(encoding='utf-8'), re.M)
    told = re.findall(r'make ([a-z0-9-]+)', readme)
    assert told and set(told) <= set(targets)


@pytest.mark.parametrize('heading, task', [('Training', 'training'), ('Inference', 'infer'), ('Mining', 'mining')])
def test_the_parameters_are_those_of_the_templates(repository, heading, task):
    section = (repository / 'README.md').read_text(encoding='utf-8').split('\n## Parameters\n')[1].split('\n## ')[0]
    table = section.split(f'\n{heading}:\n\n')[1].split('\n\n')[0]
    told = re.findall(r'^\| `(\w+)` \| (?:`(.+?)`)? ?\| \S', table, re.M)
    template = yaml.safe_load((repository / f'{task}-template.yaml').read_text(encoding='utf-8'))
    assert told == [(key, 'false' if value is False else str(value)) for key, value in template.items()]


def test_the_env_file_to_copy_is_one(repository, tmp_path):
    text = (repository / 'README.md').read_text(encoding='utf-8').split('```yaml\n')[1].split('```')[0]
    path = tmp_path / 'env.yaml'
    path.write_text(text, encoding='utf-8')
    env = read_env(path)
    assert (env.run_training, env.run_mining, env.run_infer, env.protocol) == (True, False, False, (1, 1))
    assert str(env.input.training_index_file) == '/in/train-index.tsv' and env.input.candidate_index_file is None
