"""Run `make test-image`: build an image, look into it, and let it train, infer and mine as the platform would.

Needs root and the package indexes of Debian and Python; makes the base image, and installs buildah and debootstrap
where they are missing. The tasks run on the exported dataset in `shared` beside the repository, on drawn shapes where
that is missing.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from demo.task_folder import write_config
from desk.task_folder import env_values, write_text
from docker.fetch_weights import digest
from docker.image_test import exchange
from docker.image_test.data import Data, find_data
from docker.image_test.store import Store, require_tools
from tests.support.exports import real_path

REPOSITORY = Path(__file__).resolve().parents[2]
IMAGE = 'localhost/ymir-mmdet-test'
TEMPLATES = ('training-template.yaml', 'infer-template.yaml', 'mining-template.yaml')
ALGORITHMS = ('aldd', 'cald', 'entropy', 'random')
# Says whether Chinese names can be written into pictures.
CHINESE = (
    'cd /opt/ymir-mmdet-code && python -W ignore -c "from executor.report.labels import text_mask as mask; '
    "print(mask('苹果', 12).tolist() != mask('??', 12).tolist())\""
)
# Imports every module of the code, and says how many there are.
MODULES = """cd /opt/ymir-mmdet-code && python -W ignore -c '
import importlib, pkgutil
names = [module.name for module in pkgutil.walk_packages(["."]) if not module.name.startswith("configs")]
for name in names:
    importlib.import_module(name)
print("modules:", len(names))' 2>&1"""
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
        self.store = Store(self.work / 'store')
        self.started = time.monotonic()
        self.container = ''
        self.data: Data

    def run(self) -> None:
        """All of it."""
        self.build()
        self.look_inside()
        self.end_as_the_task_ends()
        self.data = find_data(self.options.shared.resolve(), self.work / 'drawn')
        stage = self.train()
        self.find_and_mine(self.options.model or stage)
        if self.options.exchange:
            self.exchange(stage)

    def say(self, text: str) -> None:
        print('{:02d}:{:02d} {}'.format(*divmod(int(time.monotonic() - self.started), 60), text), flush=True)

    # --- the image ----------------------------------------------------------------------------------------------------

    def build(self) -> None:
        """Build, then build again with a changed line of code: that must install nothing, and be in the image."""
        base = self.store.import_base(self.options.suite)
        self.say(f'base image: Debian {self.options.suite}')
        context = self.work / 'context'
        shutil.rmtree(context, ignore_errors=True)
        shutil.copytree(REPOSITORY, context, ignore=shutil.ignore_patterns('.git', '.venv', '__pycache__', 'tasks'))
        arguments = {
            'BASE_IMAGE': base,
            'BUILDER_IMAGE': base,
            'DEVICE': 'cpu',
            'REVISION': 'before',
            'WEIGHTS': 'probe',
        }
        with (context / 'docker/weights.tsv').open('a') as file:  # a file that is there, in place of the network
            sha256 = digest(context / 'docker/fetch_weights.py')
            file.write(f'probe\tprobe.pth\tfile:///build/fetch_weights.py\t{sha256}\tApache-2.0\n')
        arguments.update(argument.split('=', 1) for argument in self.options.build_arg)
        seconds = self.timed_build(context, arguments, 'build.log')
        self.say(f'built {self.options.dockerfile} in {seconds:.0f} s')
        with (context / 'start.py').open('a') as file:
            file.write('\n# a change\n')
        seconds = self.timed_build(context, {**arguments, 'REVISION': 'after'}, 'rebuild.log')
        self.container = self.store.buildah('from', IMAGE)
        expect('# a change' in self.inside('cat /opt/ymir-mmdet-code/start.py'), 'the changed code is not in the image')
        anew = re.findall(r'STEP \S+: (RUN .*)\n(?!--> Using cache)', (self.work / 'rebuild.log').read_text())
        expect(len(anew) == 1 and 'compileall' in anew[0], f'a change of code builds more than that again: {anew}')
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
        expect(config['Labels']['ymir-mmdet.weights'].strip() == 'probe', f'labels: {config["Labels"]}')
        told = self.inside('ls -A /weights; python -W ignore /opt/ymir-mmdet-code/start.py --models')
        expect(told.startswith('probe.pth\n') and 'Weights in this image: probe.pth.' in told, f'weights: {told}')
        for name in TEMPLATES:
            text = (REPOSITORY / name).read_text(encoding='utf-8')
            expect(self.inside(f'cat /img-man/{name}') == text, f'/img-man/{name} is not the template')
        manifest = yaml.safe_load(self.inside('cat /img-man/manifest.yaml'))
        expect(manifest == {'object_type': 2}, f'manifest.yaml: {manifest}')
        expect(self.inside('cat /img-man/readme.md').startswith('# ymir-mmdet'), 'no readme.md')
        for command, told in (('task', 'usage: task [-h] COMMAND'), ('proof', '--device {cuda,cpu}')):
            text = self.inside(f'{command} --help 2>&1')
            expect(told in text, f'the command {command} says: {text}')
        text = self.inside(MODULES)
        expect(re.search(r'^modules: \d{3}$', text, re.MULTILINE), f'not every module can be imported: {text}')
        expect(self.inside(CHINESE).strip().endswith('True'), 'no font for Chinese names')
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
        status, out = self.start('nothing', {'/in': self.folder('nothing/in')})
        expect(status == 1, f'with an empty /in the exit status is {status}')
        expect('/in/env.yaml' in (out / 'monitor.txt').read_text(), 'monitor.txt does not name /in/env.yaml')
        inside = self.folder('failing/in')
        write_text(inside / 'env.yaml', yaml.safe_dump(env_values(Path('/'))))
        write_text(inside / 'config.yaml', '{}')
        status, out = self.start('failing', {'/in': inside})
        first = (out / 'monitor.txt').read_text().splitlines()[0].split('\t')
        expect(status == 1 and first[3:5] == ['4', '300001'], f'a failing task: status {status}, monitor.txt {first}')
        self.say('failures reach monitor.txt and the exit status')

    def train(self) -> Path:
        """A few epochs; returns the folder of the best stage."""
        pretrained = [f'/in/models/{file.name}' for file in self.data.weights]
        models = self.data.weights[0].parent if pretrained else None
        config = {**self.data.config, 'pretrained_model_params': pretrained}
        started = time.monotonic()
        out = self.task('train', self.data.training, models, training=True, **config)
        result = read_yaml(out / 'models/result.yaml')
        best = result['best_stage_name']
        stage = out / 'models' / best
        listed, there = result['model_stages'][best]['files'], [path.name for path in stage.iterdir()]
        expect(sorted(listed) == sorted(there), f'result.yaml lists {listed}, the folder holds {there}')
        expect(result['mAP'] > self.data.least_map, f'mAP {result["mAP"]}')
        expect(all(path.stat().st_uid == 1000 for path in stage.iterdir()), 'the model belongs to another user')
        self.say(f'trained on {self.data.name} in {time.monotonic() - started:.0f} s, mAP {result["mAP"]:.3f}')
        return stage

    def find_and_mine(self, stage: Path) -> None:
        """One algorithm after the other, the first together with inference, each as another user."""
        images = (self.data.candidates / 'candidate-index.tsv').read_text(encoding='utf-8').split()
        orders = set()
        for algorithm, user in zip(ALGORITHMS, ('1000:1000', '12345:54321', '1000:1000', '0:0')):
            both = algorithm == ALGORITHMS[0]
            started = time.monotonic()
            config = {'mining_algorithm': algorithm, 'conf_threshold': self.data.conf_threshold}
            out = self.detect(algorithm, stage, user, mining=True, infer=both, **config)
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
                expect(boxes > self.data.least_boxes * len(images), f'{boxes} boxes in {len(images)} images')
                text += f' and inference, {boxes} boxes in {len(images)} images,'
            self.say(f'{text} in {time.monotonic() - started:.0f} s')
        expect(len(orders) == len(ALGORITHMS), 'two algorithms rank alike')

    def exchange(self, stage: Path) -> None:
        """This environment, of the other stack, finds what the image does: with the image's stage, and with its own."""
        self.compare('exchange-image', stage, 'a stage of the image')
        pretrained = [str(file) for file in self.data.weights]
        started = time.monotonic()
        config = {**self.data.config, 'pretrained_model_params': pretrained}
        stage = exchange.train_here(self.folder('train-here'), self.data.training, **config)
        self.say(f'trained here in {time.monotonic() - started:.0f} s')
        self.compare('exchange-here', stage, 'a stage trained here')

    def compare(self, name: str, stage: Path, what: str) -> None:
        threshold = self.data.conf_threshold
        out = self.detect(name, stage, infer=True, conf_threshold=threshold)
        here = exchange.find_here(self.folder(f'{name}-here'), self.data.candidates, stage, conf_threshold=threshold)
        share = exchange.share_of_same_boxes(here, out / 'infer-result.json')
        expect(share > exchange.SHARE, f'with {what}, only {share:.1%} of the boxes are the same here and in the image')
        self.say(f'with {what}, {share:.1%} of the boxes are the same here and in the image')

    def detect(self, name: str, stage: Path, user: str = '1000:1000', **options: Any) -> Path:
        """A mining or inference of the candidates with a stage; returns its /out."""
        model = [f'/in/models/{path.name}' for path in sorted(stage.iterdir())]
        return self.task(name, self.data.candidates, stage, user, model_params_path=model, **options)

    def task(
        self,
        name: str,
        export: Path,
        models: Path | None,
        user: str = '1000:1000',
        training: bool = False,
        mining: bool = False,
        infer: bool = False,
        **config: Any,
    ) -> Path:
        """A task on an export and a folder of models, which must succeed; returns its /out."""
        inside = self.folder(f'{name}/in')
        env = env_values(Path('/'), training=training, mining=mining, infer=infer)
        write_text(inside / 'env.yaml', yaml.safe_dump(env))
        write_config(self.work / name, **{**read_yaml(export / 'config.yaml'), **config})
        for index in export.glob('*.tsv'):
            shutil.copy(index, inside)
        mounts = {'/in': inside, '/in/assets': real_path(export, '/in/assets/')}
        if training:
            mounts['/in/annotations'] = export / 'annotations'
        if models:
            mounts['/in/models'] = models
        status, out = self.start(name, mounts, user)
        expect(status == 0, f'{name} ended with {status}')
        return out

    def start(self, name: str, mounts: dict[str, Path], user: str = '1000:1000') -> tuple[int, Path]:
        """The image's own command; returns its exit status and its /out, where the log is kept too."""
        out = self.folder(f'{name}/out')
        mounts = {**mounts, '/out': out, '/tmp': self.folder(f'{name}/tmp')}
        for path in mounts:
            (self.work / name / path[1:]).mkdir(exist_ok=True)  # what is mounted in a folder needs a place there
        log = self.work / name / 'log'
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
