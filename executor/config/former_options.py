"""Say what the keys that `cfg_options` had for mmdet 2 are called today."""

from __future__ import annotations

from typing import Iterable, Optional, Tuple

# By the beginning of the key, the longest first. What comes after it is the same where a key stands for a key.
_TODAY: Tuple[Tuple[str, str], ...] = (
    ('optimizer.paramwise_cfg', 'optim_wrapper.paramwise_cfg'),
    ('optimizer.constructor', 'optim_wrapper.constructor'),
    ('optimizer', 'optim_wrapper.optimizer'),
    ('optimizer_config.grad_clip', 'optim_wrapper.clip_grad'),
    ('lr_config', 'in param_scheduler'),
    ('momentum_config', 'in param_scheduler'),
    ('runner', 'the parameter max_epochs'),
    ('max_epochs', 'the parameter max_epochs'),
    ('total_epochs', 'the parameter max_epochs'),
    ('data.samples_per_gpu', 'the parameter samples_per_gpu'),
    ('data.workers_per_gpu', 'the parameter workers_per_gpu'),
    ('data.test.pipeline.1.img_scale', 'test_dataloader.dataset.pipeline.1.scale'),
    ('data.val.pipeline.1.img_scale', 'val_dataloader.dataset.pipeline.1.scale'),
    ('data.train', 'in train_dataloader'),
    ('data.val', 'in val_dataloader'),
    ('data.test', 'in test_dataloader'),
    ('evaluation.interval', 'the parameter val_interval'),
    ('evaluation.metric', 'the parameter metric'),
    ('checkpoint_config.interval', 'the parameter val_interval'),
    ('checkpoint_config.max_keep_ckpts', 'the parameter max_keep_checkpoints'),
    ('log_config.interval', 'default_hooks.logger.interval'),
    ('resume_from', 'args_options --resume FILE'),
    ('auto_resume', 'args_options --resume'),
    ('seed', 'args_options --seed'),
    ('deterministic', 'args_options --deterministic'),
    ('fp16', 'args_options --amp'),
    ('gpu_ids', 'the parameter gpu_id'),
    ('cudnn_benchmark', 'env_cfg.cudnn_benchmark'),
    ('mp_start_method', 'env_cfg.mp_cfg.mp_start_method'),
    ('opencv_num_threads', 'env_cfg.mp_cfg.opencv_num_threads'),
    ('dist_params', 'env_cfg.dist_cfg'),
    ('model.random_size_range', 'model.data_preprocessor.batch_augments.0.random_size_range'),
    ('model.random_size_interval', 'model.data_preprocessor.batch_augments.0.interval'),
    ('model.input_size', 'in train_dataloader'),
)


def todays_options(keys: Iterable[str]) -> str:
    """Write what each of these keys that is mmdet 2's is called today, for a message; nothing where none is."""
    pairs = ((key, _today(key)) for key in keys)
    return ', '.join(f'{key} of mmdet 2 is {today} today' for key, today in pairs if today is not None)


def _today(key: str) -> Optional[str]:
    for former, today in _TODAY:
        if key == former or key.startswith(f'{former}.'):
            return today if ' ' in today else today + key[len(former) :]
    return None
