"""Draw curves and bars as SVG, with matplotlib's objects: no window, no state between two figures."""

from __future__ import annotations

import base64
import io
from contextlib import contextmanager
from typing import Iterator, Mapping, Optional, Sequence, Tuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

# What is drawn in it takes the reader's colour of text, on a light page and on a dark one.
_INK = '#818283'
_STYLE = '<style>:root{color:#222}@media(prefers-color-scheme:dark){:root{color:#ddd}}</style>'
_SETTINGS = {
    'svg.fonttype': 'none',  # text stays text, in a font of the reader's that has its script
    'svg.hashsalt': 'ymir',  # the same figure is the same file
    'text.parse_math': False,  # a class may be called $
    'font.family': 'sans-serif',
    'font.size': 9,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.grid': True,
    'axes.axisbelow': True,
    'grid.alpha': 0.3,
    'legend.frameon': False,
    'legend.fontsize': 8,
    **dict.fromkeys(('text.color', 'axes.edgecolor', 'axes.labelcolor', 'xtick.color', 'ytick.color'), _INK),
    'grid.color': _INK,
}
_COLOURS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#8c6bb1', '#a6761d', '#66a61e')
_LONGEST_NAME = 22  # characters in a legend
_CENTRES = np.arange(10) / 10 + 0.05  # of the bins of scores

Curve = Tuple[str, ArrayLike, ArrayLike]  # name, x and y


def svg_uri(svg: str) -> str:
    """Make an SVG file into what an `img` shows without a network."""
    return 'data:image/svg+xml;base64,' + base64.b64encode(svg.encode('utf-8', 'replace')).decode('ascii')


def draw_curves(curves: Sequence[Curve], axes: Tuple[str, str], mark: Optional[float] = None) -> str:
    """Draw curves from 0 to 1, the first of them bold, over the axes named; `mark` is where a vertical line goes."""
    height = 3.2 + 0.2 * ((len(curves) + 1) // 2)
    with _figure(height) as (figure, area):
        for number, (name, x, y) in enumerate(curves):
            colour, width = (_COLOURS[(number - 1) % len(_COLOURS)], 1.2) if number else (_INK, 2.2)
            area.plot(x, y, label=_short(name), color=colour, linewidth=width)
        if mark is not None:
            area.axvline(mark, color=_INK, linestyle=':', linewidth=1)
        area.set(xlim=(0, 1), ylim=(0, 1.02), xlabel=axes[0], ylabel=axes[1])
        return _svg(figure)


def draw_history(title: str, curves: Sequence[Curve]) -> str:
    """Draw curves over the epochs."""
    with _figure() as (figure, area):
        for number, (name, x, y) in enumerate(curves):
            area.plot(x, y, label=_short(name), color=_COLOURS[number % len(_COLOURS)], marker='.', markersize=4)
        area.set(xlabel='epoch', ylabel=title)
        area.set_ylim(bottom=0)
        area.xaxis.set_major_locator(MaxNLocator('auto', integer=True))
        return _svg(figure)


def draw_bars(values: Mapping[str, float], colours: Sequence[str], label: str) -> str:
    """Draw a horizontal bar a value."""
    with _figure(2.4) as (figure, area):
        bars = area.barh(list(values), list(values.values()), color=list(colours))
        area.bar_label(bars, fmt='%.3f', padding=3, color=_INK)
        area.set(xlabel=label, xlim=(0, max(0.01, 1.15 * max(values.values()))))
        area.invert_yaxis()
        area.grid(axis='y', visible=False)
        return _svg(figure)


def draw_calibration(precision: NDArray[np.float64], iou: NDArray[np.float64]) -> str:
    """Draw what is right by score, and how well it lies, in ten bins of 0.1."""
    with _figure() as (figure, area):
        area.bar(_CENTRES, precision, width=0.09, color=_COLOURS[0], alpha=0.8, label='right at IoU 0.5')
        area.plot(_CENTRES, iou, color=_COLOURS[1], marker='.', label='mean IoU of the right')
        area.plot([0, 1], [0, 1], color=_INK, linestyle=':', linewidth=1, label='share = score')
        area.set(xlim=(0, 1), ylim=(0, 1.02), xlabel='score', ylabel='share')
        return _svg(figure)


def draw_histogram(count: NDArray[np.int64]) -> str:
    """Draw how many predictions there are by score, in ten bins of 0.1."""
    with _figure() as (figure, area):
        area.bar(_CENTRES, count, width=0.09, color=_COLOURS[5])
        area.set(xlim=(0, 1), xlabel='score', ylabel='predictions')
        if count.any():
            area.set(yscale='log', ylim=(0.5, None))
            area.yaxis.set_major_formatter('{x:g}')
            area.yaxis.set_minor_formatter('')
        return _svg(figure)


@contextmanager
def _figure(height: float = 3.4) -> Iterator[Tuple[Figure, Axes]]:
    """Make a figure of 460 pixels' width, which a telephone shows, with its axes."""
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(4.8, height), layout='constrained')
        yield figure, figure.subplots()


def _svg(figure: Figure) -> str:
    """Write a figure, with a legend below where something in it has a name."""
    if figure.axes[0].get_legend_handles_labels()[0]:
        figure.legend(loc='outside lower center', ncols=2)
    buffer = io.StringIO()
    figure.savefig(buffer, format='svg', transparent=True, metadata={'Date': None})
    head, tag, rest = buffer.getvalue().partition('<svg ')
    attributes, _, content = rest.partition('>')
    return f'{tag}{attributes}>{_STYLE}{content}'.replace(_INK, 'currentColor')


def _short(name: str) -> str:
    """Make a name fit for a legend; what XML has no character for is shown as one."""
    shown = ''.join(one if one.isprintable() else '\ufffd' for one in name[:_LONGEST_NAME])
    # One that begins with an underscore would be left out.
    return '\u200b' * name.startswith('_') + shown + '…' * (len(name) > _LONGEST_NAME)
