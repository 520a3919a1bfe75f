from pathlib import Path
from typing import List

import pytest
import yaml

import start
from benchmarks.models import build, gpu_rows, millions_of_parameters
from executor.config.find import REPOSITORY, find_config, mmdet_configs, our_configs
from executor.config.known_models import KnownModel, describe_models, known_models
from executor.weights import image

# As their authors publish them, in millions.
PUBLISHED = {'YOLOX-nano': 0.91, 'YOLOX-tiny': 5.06, 'YOLOX-s': 9.0, 'YOLOX-m': 25.3, 'YOLOX-l': 54.2, 'YOLOX-x': 99.1}
PUBLISHED.update({'YOLOX-Darknet53': 63.7, 'YOLOv3-SPP': 63.0})
PUBLISHED.update({'YOLOv5n': 1.872157, 'YOLOv5s': 7.235389, 'YOLOv5m': 21.190557, 'YOLOv5l': 46.563709})
PUBLISHED.update({'YOLOv5x': 86.749405, 'EfficientDet-d0': 3.9, 'EfficientDet-d1': 6.6, 'EfficientDet-d2': 8.1})
PUBLISHED.update({'EfficientDet-d3': 12.0, 'EfficientDet-d4': 20.7})


def test_all_of_ours_are_listed_and_each_config_is_found():
    listed = [model.config_file for model in known_models()]
    assert set(our_configs()) <= set(listed) and len(set(listed)) == len(listed)
    assert all(find_config(name, []).is_file() for name in listed)


@pytest.mark.parametrize('model', known_models(), ids=lambda model: model.model)
def test_figures_are_those_of_the_network_and_of_its_authors(model: KnownModel):
    parameters = float(model.parameters)
    assert parameters == pytest.approx(PUBLISHED.get(model.model, parameters), abs=0.06)
    assert all(model) and float(model.flops) > 0 and float(model.speed) > 0
    if model.config_file.startswith(('configs/yolox', 'configs/yolov', 'configs/efficientdet')):
        assert f'{millions_of_parameters(build(model.config_file)):.2f}' == model.parameters


def test_ap_and_weights_of_mmdets_are_those_of_its_metafiles():
    published = []
    for file in (mmdet_configs() / 'configs').glob('*/metafile.yml'):
        content = yaml.safe_load(file.read_text(encoding='utf-8'))
        for entry in content['Models'] if isinstance(content, dict) else content:
            for result in entry.get('Results', []):
                published.append((entry.get('Weights'), result.get('Metrics', {}).get('box AP')))
    ours = [model for model in known_models() if model.source == 'mmdet, metafile']
    assert len(ours) >= 10
    assert all((model.weights, float(model.ap)) in published for model in ours)


def test_the_page_has_the_same_rows():
    page = (REPOSITORY / 'docs/models.md').read_text(encoding='utf-8')
    rows = [line for line in page.splitlines() if line.startswith('| ') and '`configs/' in line]
    assert [row.split(' | ')[0][2:] for row in rows] == [model.model for model in known_models()]
    for row, model in zip(rows, known_models()):
        cells = [cell.strip() for cell in row.strip('| ').split(' | ')]
        assert cells[1] == f'`{model.config_file}`' and cells[3:8] == list(model[3:8])


def test_the_weights_of_the_image_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(image, 'IMAGE_WEIGHTS', tmp_path / 'weights')
    assert 'Weights in this image: none.' in describe_models()
    (tmp_path / 'weights').mkdir()
    for name in ('yolox_s.pth', 'resnet50.pth'):
        (tmp_path / 'weights' / name).touch()
    assert 'Weights in this image: resnet50.pth, yolox_s.pth.' in describe_models()


def test_what_is_published_of_gpus_is_of_the_same_models_and_on_the_page():
    page = (REPOSITORY / 'docs/models.md').read_text(encoding='utf-8')
    rows = gpu_rows()
    assert [row[0] for row in rows] == [m.model for m in known_models() if m.model not in ('YOLOX-nano', 'YOLOv3-SPP')]
    assert all(f'| {" | ".join(row)} |\n' in page for row in rows)


def test_mmdet_s_numbers_on_gpus_are_those_of_its_metafiles():
    published = {}
    for file in (mmdet_configs() / 'configs').glob('*/metafile.yml'):
        content = yaml.safe_load(file.read_text(encoding='utf-8'))
        for entry in content['Models'] if isinstance(content, dict) else content:
            facts = entry.get('Metadata', {})
            times = facts.get('inference time (ms/im)') or [{}]
            numbers = facts.get('Training Memory (GB)'), times[0].get('value')
            published.update({entry['Name']: numbers, str(entry.get('Weights')): numbers})
    models = {model.model: model for model in known_models()}
    compared = 0
    for name, memory, _, _, latency, _, source in gpu_rows():
        if 'mmdet, metafile' in source:
            # YOLOX's weights are Megvii's, the memory is of mmdet's training of the same config.
            known = published.get(models[name].weights) or published[Path(models[name].config_file).stem]
            assert not memory or float(memory) == known[0]
            assert known[1] is None or float(latency) == known[1]
            compared += 1
    assert compared == 14


def test_start_lists_them_and_does_nothing_else(tmp_path: Path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('DEFAULT_ENV_FILE_PATH', str(tmp_path / 'none.yaml'))
    assert start.main(['--models']) == 0
    lines: List[str] = capfd.readouterr().out.splitlines()
    assert lines == describe_models().splitlines()
    row = next(number for number, line in enumerate(lines) if line.startswith('YOLOX-s '))
    assert 'AP 40.5' in lines[row] and lines[row].endswith('  configs/yolox/yolox_s_8x8_300e_coco.py')
    assert lines[row + 1].strip().startswith('Apache-2.0: https://')
    assert not list(tmp_path.iterdir())
