"""Make the page of a simulation: what each algorithm brought against the images that were labelled for it."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence

from matplotlib.figure import Figure

from executor.report.figures import draw_spreads, svg_uri
from executor.report.page import fill_page, write_page
from executor.report.simulation import MEASURES, Measure, Simulation, simulation_numbers, summary_table, table, verdict


class _Part(NamedTuple):
    """A measure as the page shows it."""

    title: str
    figure: str  # a data URI
    rows: Sequence[Sequence[str]]


def write_simulation(simulation: Simulation, page: Path, numbers_file: Path) -> None:
    """Write the numbers and the page of a simulation.

    Raises:
        OSError: they cannot be written.
    """
    write_page(page, simulation_page(simulation), numbers_file, simulation_numbers(simulation))


def simulation_page(simulation: Simulation) -> str:
    """Write the page."""
    return fill_page(
        'simulation.html',
        simulation=simulation,
        verdict=verdict(simulation),
        summary=summary_table(simulation),
        parts=[_part(simulation, measure) for measure in MEASURES],
        by_boxes=svg_uri(_by_boxes(simulation)),
    )


def _by_boxes(simulation: Simulation) -> Figure:
    """Draw AP50 by the boxes that were labelled for it: an algorithm may choose images that are more work."""
    of_boxes, of_ap = MEASURES[1], MEASURES[0]
    curves: Dict[str, List[Sequence[float]]] = {}
    for name in simulation.runs:
        spreads = simulation.spreads(name, of_ap)
        boxes = [spread.mean for spread in simulation.spreads(name, of_boxes)]
        curves[name] = [boxes, *([spread[n] for spread in spreads] for n in range(3))]
    return draw_spreads(curves, ('labelled boxes, mean over the seeds', of_ap.words))


def _part(simulation: Simulation, measure: Measure) -> _Part:
    curves: Dict[str, List[Sequence[float]]] = {}
    for name in simulation.runs:
        spreads = simulation.spreads(name, measure)
        curves[name] = [simulation.labelled(name), *([spread[n] for spread in spreads] for n in range(3))]
    title = measure.words[0].upper() + measure.words[1:]
    figure = draw_spreads(curves, ('labelled images', measure.words))
    return _Part(title, svg_uri(figure), table(simulation, measure))
