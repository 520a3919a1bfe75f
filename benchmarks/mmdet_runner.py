"""The peer of `training.py`: mmdet's own runner and its packaged YOLOX-nano config, on the same images and schedule.

Run as a module with one argument, a json file of {folder, train, val, classes, epochs, batch, workers, val_interval,
weights}; prints the AP50 of the last validation as its last line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import mmdet
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.runner import Runner

CONFIG = Path(mmdet.__file__).parent / '.mim/configs/yolox/yolox_nano_8xb8-300e_coco.py'


def main(job_file: str) -> None:
    job = json.loads(Path(job_file).read_text())
    register_all_modules()
    config = Config.fromfile(str(CONFIG))
    config.work_dir = job['folder']
    config.load_from = job['weights']
    config.model.bbox_head.num_classes = len(job['classes'])
    meta = {'classes': tuple(job['classes'])}
    files = {'data_root': '', 'data_prefix': {'img': ''}, 'metainfo': meta}
    config.train_dataloader.update(batch_size=job['batch'], num_workers=job['workers'])
    config.val_dataloader.update(batch_size=job['batch'], num_workers=job['workers'])
    config.train_dataloader.dataset.dataset.update(ann_file=job['train'], **files)
    config.val_dataloader.dataset.update(ann_file=job['val'], **files)
    config.test_dataloader = config.val_dataloader
    config.val_evaluator.ann_file = config.test_evaluator.ann_file = job['val']
    _set_schedule(config, job['epochs'], job['batch'])
    config.train_cfg = {'type': 'EpochBasedTrainLoop', 'max_epochs': job['epochs'], 'val_interval': job['val_interval']}
    config.default_hooks.checkpoint.interval = job['val_interval']
    runner = Runner.from_cfg(config)
    runner.train()
    print(runner.message_hub.get_scalar('val/coco/bbox_mAP_50').current())


def _set_schedule(config: Config, epochs: int, batch: int) -> None:
    """The same phases as ours: 5 and 15 of 300 epochs, at least one each; learning rate linear in the batch."""
    warmup, closing = max(1, round(epochs / 60)), max(1, round(epochs / 20))
    config.optim_wrapper.optimizer.lr *= batch / 64
    config.param_scheduler[0].end = warmup
    config.param_scheduler[1].update(
        begin=warmup,
        T_max=epochs - closing - warmup,
        end=epochs - closing,
        eta_min=config.optim_wrapper.optimizer.lr * 0.05,
    )
    config.param_scheduler[2].update(begin=epochs - closing, end=epochs)
    config.custom_hooks[0].num_last_epochs = closing - 1


if __name__ == '__main__':
    main(sys.argv[1])
