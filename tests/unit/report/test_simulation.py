"""What a simulation tells: numbers by hand, one sentence that claims no more than they show, a page that is whole."""

from __future__ import annotations

import json

import pytest

from executor.report.simulation import Point, Simulation, simulation_numbers, summary_table, table, verdict
from executor.report.simulation_page import MEASURES, write_simulation
from tests.support.html import Page, check_alone

HOSTILE = '<script>alert(1)</script>'


def run(first: float, *aps: float, boxes: int = 10) -> list[Point]:
    """A run of ten images at a time; each brings one box of a rare class, and two scenes."""
    return [Point(10 * n, ap, boxes * n, n, 2 * n) for n, ap in enumerate((first, *aps), start=1)]


def simulation(**runs: list[list[Point]]) -> Simulation:
    return Simulation(
        title='task',
        runs=runs,
        rounds=2,
        pool=Point(100, 0, 900, 30, 40),
        rare_classes=['cat', HOSTILE],
        validation_images=7,
        settings={'max_epochs': 3, 'input_size': None, HOSTILE: HOSTILE},
    )


WHOLE = simulation(
    entropy=[run(0.1, 0.4, 0.6, boxes=20), run(0.2, 0.5, 0.7, boxes=10)],  # on average 0.5 and 0.6
    random=[run(0.1, 0.3, 0.5), run(0.2, 0.3, 0.4)],  # 0.4 and 0.35
)


def test_numbers_by_hand():
    numbers = simulation_numbers(WHOLE)
    entropy, by_chance = numbers['algorithms'].values()
    assert entropy['average_ap_50'] == {'mean': 0.55, 'low': 0.5, 'high': 0.6}
    assert by_chance['average_ap_50'] == {'mean': 0.375, 'low': 0.35, 'high': 0.4}
    assert entropy['labelled'] == [10, 20, 30]
    assert entropy['ap_50'][1] == {'mean': 0.45, 'low': 0.4, 'high': 0.5}
    assert entropy['boxes'] == [{'mean': 15 * n, 'low': 10 * n, 'high': 20 * n} for n in (1, 2, 3)]
    assert by_chance['rare'][2] == {'mean': 3, 'low': 3, 'high': 3}
    assert by_chance['scenes'][2]['mean'] == 6
    assert by_chance['seeds'][1][2] == {'labelled': 30, 'ap_50': 0.4, 'boxes': 30, 'rare': 3, 'scenes': 6}
    assert numbers['trainings'] == {'done': 10, 'of': 10}
    assert numbers['pool'] == {'labelled': 100, 'boxes': 900, 'rare': 30, 'scenes': 40}


def test_tables():
    assert table(WHOLE, MEASURES[0]) == [
        ['labelled images', 'entropy', 'random'],
        ['10', '0.150 (0.100 to 0.200)', '0.150 (0.100 to 0.200)'],
        ['20', '0.450 (0.400 to 0.500)', '0.300'],
        ['30', '0.650 (0.600 to 0.700)', '0.450 (0.400 to 0.500)'],
    ]
    assert table(WHOLE, MEASURES[1])[1] == ['10', '15 (10 to 20)', '10']
    assert summary_table(WHOLE) == [
        ['algorithm', 'AP50 on average', 'more than random'],
        ['entropy', '0.550 (0.500 to 0.600)', '+0.175'],
        ['random', '0.375 (0.350 to 0.400)', ''],
    ]


def test_ahead_by_more_than_the_spread():
    assert verdict(WHOLE) == (
        'entropy was ahead of random by 0.175 AP50 on average over the rounds (0.550 and 0.375), which is more than '
        'the spread over 2 seeds (0.100); chance alone brings that in one of five: say --seeds 3 to see more.'
    )
    third = simulation(**{name: [*runs, runs[0]] for name, runs in WHOLE.runs.items()})
    assert verdict(third).endswith('which is more than the spread over 3 seeds (0.100).')


def test_no_difference_to_be_seen():
    """The averages are 0.5 and 0.6, and 0.45 and 0.6: the wider spread, 0.15, is what counts."""
    found = verdict(simulation(a=[run(0.1, 0.4, 0.6), run(0.1, 0.6, 0.6)], b=[run(0.1, 0.4, 0.5), run(0.1, 0.6, 0.6)]))
    assert found.startswith('no difference to be seen: a was ahead of b by 0.025 AP50')
    assert found.endswith('which is within the spread over 2 seeds (0.150).')


def test_the_first_is_also_compared_with_chance():
    """b is close behind a, random is not."""
    found = verdict(
        simulation(
            random=[run(0.1, 0.1, 0.1), run(0.1, 0.1, 0.1)],
            a=[run(0.1, 0.4, 0.5), run(0.1, 0.5, 0.6)],
            b=[run(0.1, 0.4, 0.5), run(0.1, 0.4, 0.6)],
        )
    )
    assert found.startswith('no difference to be seen: a was ahead of b by 0.025')
    assert found.endswith(
        '; a was ahead of random by 0.400 AP50 on average over the rounds (0.500 and 0.100), which is more than the '
        'spread over 2 seeds (0.100); chance alone brings that in one of five: say --seeds 3 to see more.'
    )


def test_one_seed_claims_nothing():
    found = verdict(simulation(a=[run(0.1, 0.9, 0.9)], b=[run(0.1, 0.1, 0.1)]))
    assert found.endswith('which with one seed may be chance: say --seeds 2 or more to see.')
    assert verdict(simulation(a=[run(0.1, 0.9, 0.9)])).startswith('a alone was tried')


def test_what_is_not_done_yet():
    """The second seed has its first training, which both algorithms share, and one of random."""
    found = simulation(entropy=[run(0.1, 0.4, 0.6), run(0.2)], random=[run(0.1, 0.3, 0.5), run(0.2, 0.3)])
    assert verdict(found) == '7 of 10 trainings are done: which is ahead is told at the end.'
    numbers = simulation_numbers(found)
    assert numbers['algorithms']['random']['average_ap_50'] is None
    assert table(found, MEASURES[0])[2:] == [['20', '0.400', '0.300'], ['30', '0.600', '0.500']]
    assert summary_table(found) == [['algorithm', 'AP50 on average']]


@pytest.mark.parametrize('found', [WHOLE, simulation(entropy=[run(0.1)], random=[run(0.1)])], ids=['whole', 'first'])
def test_the_page_is_whole_and_asks_for_nothing(tmp_path, found):
    page, numbers = tmp_path / 'simulation.html', tmp_path / 'simulation.json'
    write_simulation(found, page, numbers)
    text = page.read_text(encoding='utf-8')
    check_alone(text)
    assert json.loads(numbers.read_text(encoding='utf-8')) == simulation_numbers(found)
    read = Page(text)
    assert [image['alt'] for image in read.all('img')] == [
        'AP50 by labelled images',
        'Boxes found by labelled images',
        'Boxes of rare classes found by labelled images',
        'Scenes covered by labelled images',
        'AP50 by labelled boxes',
    ]
    assert verdict(found)[1:] in ''.join(read.texts) and HOSTILE in ''.join(read.texts)
