"""`make test-image`: build an image, look into it, and let it train, infer and mine as the platform would.

Needs root; makes the base image, and installs buildah and debootstrap where they are missing. The tasks need the
exported datasets in `shared` beside the repository.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from docker.image_test import exchange
from docker.image_test.store import Store, require_tools
from tests.support.exports import real_path

REPOSITORY = Path(__file__).resolve().parents[2]
IMAGE = 'localhost/ymir-mmdet-test'
TEMPLATES = ('training-template.yaml', 'infer-template.yaml', 'mining-template.yaml')
WEIGHTS = 'yolox_nano_coco_megvii.pth'
TRAINING = {
    'config_file': 'configs/yolox/yolox_nano_8x8_300e_coco.py',
    'max_epochs': 2,
    'samples_per_gpu': 8,
    'workers_per_gpu': 2,
}
ALGORITHMS = ('aldd', 'cald', 'entropy', 'random')
# Tools, folders and files that have no business in the image; prints those that are there.
INTRUDERS = r"""
for tool in cc c++ gcc g++ nvcc ninja git pip; do command -v $tool; done
find / -xdev \( -name .git -o -name .gitkeep -o -name '*.whl' -o -path '*/.cache/*' -type f \) -print
find /var/lib/apt/lists -name '*_*' -print
cd /opt/ymir-mmdet-code && ls -d tests benchmarks docs docker requirements 2> /dev/null
"""
# Prints the folders that can be written.
WRITABLE = r"""
for folder in / /in /out /tmp /opt/ymir-mmdet /opt/ymir-mmdet-code /img-man /weights /etc /var/tmp /home /run; do
    (: > "$folder/probe") 2> /dev/null && rm "$folder/probe" && echo "$folder"
done
"""


class Checks:
    """One image, from its base to its last task. Every step says what it did, and what was wrong ends the run."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.work: Path = options.work
        self.shared: Path = options.shared.resolve()
        self.store = Store(self.work / 'store')
        self.started = time.monotonic()
        self.container = ''

    def run(self) -> None:
        """All of it."""
        self.build()
        self.look_inside()
        self.end_as_the_task_ends()
        if not (self.shared / 'data').is_dir():
            return self.say(f'no tasks are run: the exported datasets are not here, {self.shared}/data is missing')
        stage = self.train()
        self.find_and_mine(self.options.model or stage)
        if self.options.exchange:
            self.exchange(stage)

    def say(self, text: str) -> None:
        print('{:02d}:{:02d} {}'.format(*divmod(int(time.monotonic() - self.started), 60), text), flush=True)

    # --- the image ----------------------------------------------------------------------------------------------------

    def build(self) -> None:
        """Build, then build again with a changed line of code: that must take seconds, and be in the image."""
        base = self.store.import_base(self.options.suite)
        self.say(f'base image: Debian {self.options.suite}')
        context = self.work / 'context'
        shutil.rmtree(context, ignore_errors=True)
        shutil.copytree(REPOSITORY, context, ignore=shutil.ignore_patterns('.git', '.venv', '__pycache__', 'demo'))
        arguments = {'BASE_IMAGE': base, 'BUILDER_IMAGE': base, 'DEVICE': 'cpu', 'REVISION': 'before'}
        arguments.update(argument.split('=', 1) for argument in self.options.build_arg)
        seconds = self.timed_build(context, arguments, 'build.log')
        self.say(f'built {self.options.dockerfile} in {seconds:.0f} s')
        with (context / 'start.py').open('a') as file:
            file.write('\n# a change\n')
        seconds = self.timed_build(context, {**arguments, 'REVISION': 'after'}, 'rebuild.log')
        self.container = self.store.buildah('from', IMAGE)
        expect('# a change' in self.inside('cat start.py'), 'the changed code is not in the image')
        expect(seconds < 60, f'a change of code took {seconds:.0f} s to build')
        self.say(f'built again with a line changed in {seconds:.0f} s')

    def timed_build(self, context: Path, arguments: dict[str, str], log: str) -> float:
        started = time.monotonic()
        self.store.build(IMAGE, context, self.options.dockerfile, arguments, self.work / log)
        return time.monotonic() - started

    def look_inside(self) -> None:
        """What the platform reads, the labels, what must not be there, what can be written."""
        config = self.store.config(IMAGE)
        expect(config['Cmd'] == ['bash', '/usr/bin/start.sh'], f'the command is {config["Cmd"]}')
        expect('PIP_' not in json.dumps(config), 'the image keeps settings of pip')
        labels = {key.rsplit('.', 1)[1]: value for key, value in config['Labels'].items() if 'opencontainers' in key}
        expect(labels['title'] == 'ymir-mmdet' and labels['licenses'] == 'Apache-2.0', f'labels: {labels}')
        expect(labels['revision'] == 'after', f'the label of the source revision is {labels["revision"]}')
        for name in TEMPLATES:
            text = (REPOSITORY / name).read_text(encoding='utf-8')
            expect(self.inside(f'cat /img-man/{name}') == text, f'/img-man/{name} is not the template')
        manifest = yaml.safe_load(self.inside('cat /img-man/manifest.yaml'))
        expect(manifest == {'object_type': 2}, f'manifest.yaml: {manifest}')
        expect(self.inside('cat /img-man/readme.md').startswith('# ymir-mmdet'), 'no readme.md')
        intruders = self.inside(INTRUDERS, user='0:0')
        expect(not intruders, f'in the image and not needed: {intruders}')
        for user in ('0:0', '1000:1000', '12345:54321'):
            writable = set(self.inside(WRITABLE, user).split()) - ({'/run'} if user == '0:0' else set())
            expect(writable == {'/out', '/tmp'}, f'{user} can write {writable}')
        code = 'import sys, torch, mmdet; print(sys.version.split()[0], torch.__version__, mmdet.__version__)'
        versions = self.inside(f'python -W ignore -c "{code}"').splitlines()[-1]
        self.say(f'Python, torch and mmdet are {versions}')
        size, ours = self.store.size(IMAGE) / 1e6, self.store.size(IMAGE, '/opt') / 1e6
        self.say(f'the platform finds what it looks for; {size:.0f} MB, {ours:.0f} MB of them below /opt')

    def inside(self, script: str, user: str = '1000:1000') -> str:
        """What a shell in the image prints."""
        mounts = {'/in': self.folder('probe/in'), '/out': self.folder('probe/out'), '/tmp': self.folder('probe/tmp')}
        log = self.work / 'probe.log'
        status = self.store.run(self.container, ['sh', '-c', f'{script}\n:'], log, mounts, user)
        expect(status == 0, f'a shell in the image ends with {status}: {log.read_text()}')
        return log.read_text()

    # --- its tasks ----------------------------------------------------------------------------------------------------

    def end_as_the_task_ends(self) -> None:
        """No task at all, and one whose config.yaml cannot work: told in monitor.txt and by the exit status."""
        status, out = self.task('nothing', {})
        expect(status == 1, f'with an empty /in the exit status is {status}')
        expect('/in/env.yaml' in (out / 'monitor.txt').read_text(), 'monitor.txt does not name /in/env.yaml')
        env = {'task_id': 't', 'run_training': True, 'input': {'config_file': '/in/config.yaml'}}
        status, out = self.task('failing', {'env.yaml': env, 'config.yaml': {}})
        first = (out / 'monitor.txt').read_text().splitlines()[0].split('\t')
        expect(status == 1 and first[3:5] == ['4', '300001'], f'a failing task: status {status}, monitor.txt {first}')
        self.say('failures reach monitor.txt and the exit status')

    def train(self) -> Path:
        """Two epochs on bccd from the COCO weights; returns the folder of the best stage."""
        export = self.shared / 'data/bccd/training-ark/in'
        config = {
            **read_yaml(export / 'config.yaml'),
            **TRAINING,
            'pretrained_model_params': [f'/in/models/{WEIGHTS}'],
        }
        files = {'env.yaml': read_yaml(export / 'env.yaml'), 'config.yaml': config}
        started = time.monotonic()
        status, out = self.task('train', files, export, self.shared / 'weights')
        expect(status == 0, f'training ended with {status}')
        result = read_yaml(out / 'models/result.yaml')
        best = result['best_stage_name']
        stage = out / 'models' / best
        listed, there = result['model_stages'][best]['files'], [path.name for path in stage.iterdir()]
        expect(sorted(listed) == sorted(there), f'result.yaml lists {listed}, the folder holds {there}')
        # 0.22 and 0.38 on the two stacks after two epochs, the first of them warm-up; from scratch, or with boxes out
        # of place, it is near 0.
        expect(result['mAP'] > 0.1, f'mAP {result["mAP"]}')
        expect(all(path.stat().st_uid == 1000 for path in stage.iterdir()), 'the model belongs to another user')
        self.say(f'trained 2 epochs of bccd in {time.monotonic() - started:.0f} s, mAP {result["mAP"]:.3f}')
        return stage

    def find_and_mine(self, stage: Path) -> None:
        """One algorithm after the other, the first together with inference, each as another user."""
        export = self.shared / 'data/bccd/mining/in'
        images = (export / 'candidate-index.tsv').read_text(encoding='utf-8').split()
        orders = set()
        for algorithm, user in zip(ALGORITHMS, ('1000:1000', '12345:54321', '1000:1000', '0:0')):
            both = algorithm == ALGORITHMS[0]
            config = {
                **read_yaml(export / 'config.yaml'),
                'run_infer': both,
                'mining_algorithm': algorithm,
                'model_params_path': [f'/in/models/{path.name}' for path in sorted(stage.iterdir())],
            }
            env = {**read_yaml(export / 'env.yaml'), 'run_infer': both}
            started = time.monotonic()
            status, out = self.task(algorithm, {'env.yaml': env, 'config.yaml': config}, export, stage, user)
            expect(status == 0, f'{algorithm} ended with {status}')
            rows = [line.split('\t') for line in (out / 'result.tsv').read_text().splitlines()]
            scores = [float(score) for _, score in rows]
            expect(sorted(image for image, _ in rows) == sorted(images), f'{algorithm} does not rank every image once')
            expect(scores == sorted(scores, reverse=True), f'{algorithm}: scores do not fall')
            orders.add(tuple(image for image, _ in rows))
            text = f'{algorithm} as user {user}'
            if both:
                found = json.loads((out / 'infer-result.json').read_text())['detection']
                expect(set(found) == {Path(image).name for image in images}, 'infer-result.json lacks images')
                boxes = sum(len(entry['boxes']) for entry in found.values())
                expect(boxes > 5 * len(images), f'{boxes} boxes in {len(images)} images, which hold 13 each')
                text += f' and inference, {boxes} boxes in {len(images)} images,'
            self.say(f'{text} in {time.monotonic() - started:.0f} s')
        expect(len(orders) == len(ALGORITHMS), 'two algorithms rank alike')

    def exchange(self, stage: Path) -> None:
        """This environment, of the other stack, finds what the image does: with the image's stage, and with its own."""
        self.compare('exchange-image', stage, 'a stage of the image')
        pretrained = [str(self.shared / 'weights' / WEIGHTS)]
        export = self.shared / 'data/bccd/training-ark/in'
        started = time.monotonic()
        stage = exchange.train_here(self.folder('train-here'), export, **TRAINING, pretrained_model_params=pretrained)
        self.say(f'trained 2 epochs here in {time.monotonic() - started:.0f} s')
        self.compare('exchange-here', stage, 'a stage trained here')

    def compare(self, name: str, stage: Path, what: str) -> None:
        export = self.shared / 'data/bccd/mining/in'
        models = [f'/in/models/{path.name}' for path in sorted(stage.iterdir())]
        config = {**read_yaml(export / 'config.yaml'), 'model_params_path': models}
        env = {**read_yaml(export / 'env.yaml'), 'run_mining': False, 'run_infer': True}
        status, out = self.task(name, {'env.yaml': env, 'config.yaml': config}, export, stage)
        expect(status == 0, f'inference with {what} ended with {status}')
        here = exchange.find_here(self.folder(f'{name}-here'), export, stage)
        share = exchange.share_of_same_boxes(here, out / 'infer-result.json')
        expect(share > exchange.SHARE, f'with {what}, only {share:.1%} of the boxes are the same here and in the image')
        self.say(f'with {what}, {share:.1%} of the boxes are the same here and in the image')

    def task(
        self, name: str, files: dict[str, Any], export: Path | None = None, models: Path | None = None, user='1000:1000'
    ) -> tuple[int, Path]:
        """The image's own command on a task; returns its exit status and its /out, where the log is kept too."""
        folder = self.work / name
        inside, out = self.folder(f'{name}/in'), self.folder(f'{name}/out')
        mounts = {'/in': inside, '/out': out, '/tmp': self.folder(f'{name}/tmp')}
        for file, values in files.items():
            (inside / file).write_text(yaml.safe_dump(values), encoding='utf-8')
        if export:
            for index in export.glob('*.tsv'):
                shutil.copy(index, inside)
            mounts['/in/assets'] = real_path(export, '/in/assets/x').parent
            if (export / 'annotations').is_dir():
                mounts['/in/annotations'] = export / 'annotations'
        if models:
            mounts['/in/models'] = models
        for path in mounts:
            (folder / path[1:]).mkdir(exist_ok=True)  # what is mounted in a folder needs a place there
        log = folder / 'log'
        status = self.store.run(self.container, self.store.config(IMAGE)['Cmd'], log, mounts, user)
        return status, out

    def folder(self, name: str) -> Path:
        """An empty folder that any user may write."""
        path = self.work / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        path.chmod(0o1777)
        return path


def expect(true: bool, otherwise: str) -> None:
    if not true:
        raise AssertionError(otherwise)


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding='utf-8'))


def main() -> None:
    parser = argparse.ArgumentParser(prog='python -m docker.image_test', description=__doc__.splitlines()[0])
    parser.add_argument('--dockerfile', default='Dockerfile')
    parser.add_argument('--suite', default='bookworm', help='Debian that stands in for the base image (%(default)s)')
    parser.add_argument('--build-arg', action='append', default=[], metavar='NAME=VALUE')
    parser.add_argument('--model', type=Path, help='a stage to infer and mine with, in place of the one just trained')
    parser.add_argument('--shared', type=Path, default=REPOSITORY.parent / 'shared', help='default: %(default)s')
    parser.add_argument('--exchange', action='store_true', help='stages of the image are used here, and the other way')
    parser.add_argument('--work', type=Path, help='folder to work in; what the tasks wrote stays there')
    parser.add_argument('--keep', action='store_true', help='leave the layers in that folder, for another run')
    options = parser.parse_args()
    require_tools()
    temporary = options.work is None
    options.work = Path(tempfile.mkdtemp(dir='/var/tmp')) if temporary else options.work.resolve()
    checks = Checks(options)
    try:
        checks.run()
    except AssertionError as error:
        sys.exit(f'{error}\nlogs and results: {options.work}')
    finally:
        if temporary or not options.keep:
            checks.store.remove()
    if temporary:
        shutil.rmtree(options.work)
    checks.say('everything holds')


if __name__ == '__main__':
    main()
