"""docs/scale.md: its tables are what benchmarks/scale.py makes of docs/benchmarks.md, and that is right."""

from __future__ import annotations

import csv

import pytest

from benchmarks import scale

MEASURED = """
### YOLOX-nano
decode 1.00 ms, resize 2.00 ms
### YOLOX-tiny
Its last round: decode 3.00 ms, resize 1.00 ms, network 60.00 ms
### YOLOX-s
| s | later epochs | 4.0 | 250 | 8.0 |
Where the time of a first epoch goes, ms a picture:
| s | 1.50 | 1.67 |
| ark | 12,000 | 0.4 | 1.8 | 1.2 | 0.3 | 3.6 | 36 | 12 | 10 | 7 |
| coco | 12,000 | 0.3 | 1.9 | 1.9 | 1.1 | 5.1 | 120 | 8 | 10 | 7 |
| 1,000,000, 1 | 0.3 | 1.0 | 100.0 | 6.0 | 45.0 | 300 | 925 |
| 1,000,000, 4 | 0.3 | 1.0 | 68.1 | 6.8 | 46.2 | 334 | 986 |
"""


def test_the_page_has_todays_tables():
    """After a new measurement: `python -m benchmarks.scale`."""
    page = scale.PAGE.read_text(encoding='utf-8')
    assert scale.rewritten(page, scale.BENCHMARKS.read_text(encoding='utf-8')) == page


def test_other_measurements_change_the_page():
    page = scale.PAGE.read_text(encoding='utf-8')
    assert '| GB of memory, first rank | 0.30 | 3.0 | 30 |' in scale.rewritten(page, MEASURED)


def test_costs_are_read_off_the_page():
    assert scale.costs(MEASURED) == scale.Costs(
        loading=4.0,
        written=100.0,
        merged=6.0,
        read_back=45.0,
        first_rank=300.0,
        result=925.0,
        cached=4.0,
        decoded=1.5,
        entry_seconds=pytest.approx(1.6 / 12000),
        entry=1000.0,
        peak=3000.0,
        coco_peak=10000.0,
    )


def test_published_numbers_are_those_of_the_lists_of_models():
    def rows_of(name):
        with (scale.REPOSITORY / 'configs' / name).open(encoding='utf-8') as stream:
            return {row['model']: row for row in csv.DictReader(stream, delimiter='\t')}

    published, models = rows_of('models_on_gpus.tsv'), rows_of('models.tsv')
    for name, rate in list(scale.RATES.items())[:2]:
        assert rate == pytest.approx(1e3 / float(published[name.partition(',')[0]]['latency']))
    for name, rate in list(scale.TRAINING_RATES.items())[:2]:
        model = name.partition(',')[0]
        assert rate == pytest.approx(118287 * 300 / 86400 / float(published[model]['days']))
        assert scale.PARAMETERS[name] == pytest.approx(float(models[model]['parameters']) * 1e6)


def test_inference_by_hand():
    cost = scale.costs(MEASURED)
    # Each GPU: a core, and 4,000 images of 4.1 ms; files of 152 KB.
    assert scale.detection_rates(cost, 8, 'assumed') == pytest.approx(
        {'images/s': 32000, 'cores': 8 * (1 + 16.4), 'read': 4864}
    )
    sizes = scale.detection_sizes(cost, 10**7)
    assert sizes == pytest.approx(
        {
            **{'files': 1520, 'results': 10, 'parts': 20, 'first rank': 3, 'other rank': 0.72},
            **{'merge': 60, 'platform reads': 450, 'platform': 52},
        }
    )


def test_training_by_hand():
    cost = scale.costs(MEASURED)
    # Eight machines in a ring, each of which sends 7/8 of 29 MB twice a batch of 8 images.
    found = scale.training_rates(cost, 64, 'assumed')
    assert found.pop('shm') == pytest.approx((18 * 8 * 640 * 640 * 3 / 0.85 + 32 * 2**20) * 8 / 1e9, rel=1e-6)
    assert found == pytest.approx(
        {
            **{'images/s': 51200, 'cores': 64 * (1 + 3.2), 'cores, read anew': 64 * (1 + 800 * 0.0115)},
            **{'read': 51200 * 0.76, 'between': 1.75 * 4 * 7.24e6 * 100 / 1e9},
        }
    )
    assert scale.training_rates(cost, 8, 'assumed')['between'] == 0
    assert scale.training_sizes(cost, 10**6) == pytest.approx(
        {'files': 152, 'start': 133.33333, 'entries': 8, 'peak': 3, 'coco peak': 10, 'cache': 1843.2}
    )


@pytest.mark.parametrize(
    'seconds, words',
    [
        (0.05, '0.050 s'),
        (100, '100 s'),
        (118, '2.0 min'),
        (119 * 60, '2.0 h'),
        (30 * 3600, '30 h'),
        (10 * 86400, '10 days'),
    ],
)
def test_the_unit_of_a_time(seconds, words):
    assert scale.lasting(seconds) == words
