"""Draw curves and bars, with matplotlib's objects: no window, no state between two figures."""

from __future__ import annotations

import base64
import functools
import io
import os
from contextlib import contextmanager
from typing import Iterator, List, Mapping, Optional, Sequence, Tuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import ArrayLike, NDArray

from executor.report.labels import FONTS

# What is drawn in it takes the reader's colour of text on a page, a light one or a dark one; a colour of no other use.
_INK = '#212223'
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
COLOURS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#8c6bb1', '#a6761d', '#66a61e')
_LINES = ('-', '--', '-.', ':')  # told apart without colours
_LONGEST_NAME = 22  # characters in a legend
_CENTRES = np.arange(10) / 10 + 0.05  # of the bins of scores

Curve = Tuple[str, ArrayLike, ArrayLike]  # name, x and y


def svg_uri(figure: Figure) -> str:
    """Make a figure into what an `img` shows without a network, on a light page and on a dark one."""
    return 'data:image/svg+xml;base64,' + base64.b64encode(_svg(figure).encode('utf-8', 'replace')).decode('ascii')


def png_bytes(figure: Figure) -> bytes:
    """Make a figure into a PNG of 720 pixels' width, on white."""
    buffer = io.BytesIO()
    for text in figure.findobj(Text):  # a page has the reader's fonts
        text.set_fontfamily(_families())
    with matplotlib.rc_context(_SETTINGS):
        figure.savefig(buffer, format='png', dpi=150, facecolor='white')
    return buffer.getvalue()


def draw_curves(curves: Sequence[Curve], axes: Tuple[str, str], mark: Optional[float] = None) -> Figure:
    """Draw curves from 0 to 1, the first of them bold, over the axes named; `mark` is where a vertical line goes."""
    height = 3.2 + 0.2 * ((len(curves) + 1) // 2)
    with _figure(height) as (figure, area):
        for number, (name, x, y) in enumerate(curves):
            colour, width = (COLOURS[(number - 1) % len(COLOURS)], 1.2) if number else (_INK, 2.2)
            area.plot(x, y, label=_short(name), color=colour, linewidth=width)
        if mark is not None:
            area.axvline(mark, color=_INK, linestyle=':', linewidth=1)
        area.set(xlim=(0, 1), ylim=(0, 1.02), xlabel=axes[0], ylabel=axes[1])
        return figure


def draw_history(title: str, curves: Sequence[Curve]) -> Figure:
    """Draw curves over the epochs."""
    with _figure() as (figure, area):
        for number, (name, x, y) in enumerate(curves):
            area.plot(x, y, label=_short(name), color=COLOURS[number % len(COLOURS)], marker='.', markersize=4)
        area.set(xlabel='epoch', ylabel=title)
        area.set_ylim(bottom=0)
        area.xaxis.set_major_locator(MaxNLocator('auto', integer=True))
        return figure


def draw_spreads(curves: Mapping[str, Sequence[Sequence[float]]], axes: Tuple[str, str]) -> Figure:
    """Draw means over seeds, with a band from the lowest to the highest; a curve is x, mean, lowest and highest."""
    with _figure() as (figure, area):
        for number, (name, (x, mean, low, high)) in enumerate(curves.items()):
            colour, line = COLOURS[number % len(COLOURS)], _LINES[number % len(_LINES)]
            area.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
            area.plot(x, mean, line, label=_short(name), color=colour, marker='.', markersize=5)
        area.set(xlabel=axes[0], ylabel=axes[1])
        area.xaxis.set_major_locator(MaxNLocator('auto', integer=True))
        return figure


def draw_bars(values: Mapping[str, float], colours: Sequence[str], label: str) -> Figure:
    """Draw a horizontal bar a value."""
    with _figure(2.4) as (figure, area):
        bars = area.barh(list(values), list(values.values()), color=list(colours))
        area.bar_label(bars, fmt='%.3f', padding=3, color=_INK)
        area.set(xlabel=label, xlim=(0, max(0.01, 1.15 * max(values.values()))))
        area.invert_yaxis()
        area.grid(axis='y', visible=False)
        return figure


def draw_calibration(precision: NDArray[np.float64], iou: NDArray[np.float64]) -> Figure:
    """Draw what is right by score, and how well it lies, in ten bins of 0.1."""
    with _figure() as (figure, area):
        area.bar(_CENTRES, precision, width=0.09, color=COLOURS[0], alpha=0.8, label='right at IoU 0.5')
        area.plot(_CENTRES, iou, color=COLOURS[1], marker='.', label='mean IoU of the right')
        area.plot([0, 1], [0, 1], color=_INK, linestyle=':', linewidth=1, label='share = score')
        area.set(xlim=(0, 1), ylim=(0, 1.02), xlabel='score', ylabel='share')
        return figure


def draw_histogram(count: NDArray[np.int64]) -> Figure:
    """Draw how many predictions there are by score, in ten bins of 0.1."""
    with _figure() as (figure, area):
        area.bar(_CENTRES, count, width=0.09, color=COLOURS[5])
        area.set(xlim=(0, 1), xlabel='score', ylabel='predictions')
        if count.any():
            area.set(yscale='log', ylim=(0.5, None))
            area.yaxis.set_major_formatter('{x:g}')
            area.yaxis.set_minor_formatter('')
        return figure


def draw_scores(scores: NDArray[np.float64], bins: int, marks: Mapping[str, float]) -> Figure:
    """Draw how many images there are by score; `marks` are where vertical lines go, by name."""
    with _figure() as (figure, area):
        area.hist(scores, bins=bins, color=COLOURS[5])
        for colour, (name, score) in zip(COLOURS, marks.items()):
            area.axvline(score, color=colour, linewidth=1.4, label=name)
        area.set(xlabel='score', ylabel='images')
        if len(scores):
            area.set(yscale='log', ylim=(0.5, None))
            area.yaxis.set_major_formatter('{x:g}')
            area.yaxis.set_minor_formatter('')
        return figure


def draw_shares(
    shares: Mapping[str, ArrayLike], names: Sequence[str], axes: Tuple[str, str], bounds: bool = False
) -> Figure:
    """Draw shares in bins, those of several sets side by side; `names` are of bins, or of their lower `bounds`."""
    with _figure() as (figure, area):
        width = 0.84 / len(shares)
        for number, (name, share) in enumerate(shares.items()):
            places = np.arange(len(names)) + (number - (len(shares) - 1) / 2) * width
            area.bar(places, share, width=width, color=COLOURS[number], label=name)
        if bounds:  # every second, beginning with 2 pixels
            area.set_xticks(np.arange(1, len(names), 2) - 0.5, names[1::2], fontsize=8)
        else:
            area.set_xticks(np.arange(len(names)), [_short(name) for name in names], fontsize=8)
            area.tick_params(axis='x', labelrotation=40)
            for label in area.get_xticklabels():
                label.set(ha='right', rotation_mode='anchor')
        area.set(xlabel=axes[0], ylabel=f'share of {axes[1]}')
        area.yaxis.set_major_formatter(PercentFormatter(1))
        area.grid(axis='x', visible=False)
        return figure


def draw_heat(count: NDArray[np.int64], title: str) -> Figure:
    """Draw where things lie in an image, (rows from the top, columns), the fullest cell brightest."""
    with _figure() as (figure, area):
        shown = area.imshow(count / max(1, count.max()), cmap='viridis', vmin=0, vmax=1, extent=(0, 1, 1, 0))
        area.set(xlabel='left to right', ylabel='top to bottom', title=title)
        area.grid(visible=False)
        figure.colorbar(shown, label='boxes, by the fullest cell')
        return figure


def draw_confusion(names: Sequence[str], rows: Sequence[Tuple[str, Sequence[Tuple[int, float]]]]) -> Figure:
    """Draw a row a true class: a cell a class that it was taken for, of boxes, the darker the larger its share."""
    with _figure(1.6 + 0.22 * len(rows)) as (figure, area):
        shares = np.array([[share for _, share in cells] for _, cells in rows])
        area.imshow(shares, cmap='Blues', vmin=0, vmax=1, aspect='auto')
        for row, (_, cells) in enumerate(rows):
            for column, (boxes, share) in enumerate(cells):
                if boxes:
                    ink = 'white' if share > 0.6 else _INK
                    area.text(column, row, str(boxes), ha='center', va='center', fontsize=7, color=ink)
        area.set_xticks(range(len(names)), [_short(name) for name in names], fontsize=7, rotation=90)
        area.set_yticks(range(len(rows)), [_short(name) for name, _ in rows], fontsize=7)
        area.set(xlabel='taken for', ylabel='true')
        area.grid(visible=False)
        return figure


@functools.lru_cache(maxsize=None)
def _families() -> List[str]:
    """Name the fonts that write names into pictures: a character is of the first that has it."""
    files = [file for file in FONTS if os.path.isfile(file)]
    for file in files:
        fontManager.addfont(file)
    return [FontProperties(fname=file).get_name() for file in files]


@contextmanager
def _figure(height: float = 3.4) -> Iterator[Tuple[Figure, Axes]]:
    """Make a figure of 460 pixels' width, which a telephone shows, with its axes; at the end it gets its legend."""
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(4.8, height), layout='constrained')
        yield figure, figure.subplots()
        if figure.axes[0].get_legend_handles_labels()[0]:  # where something in it has a name
            figure.legend(loc='outside lower center', ncols=2)


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    with matplotlib.rc_context(_SETTINGS):
        figure.savefig(buffer, format='svg', transparent=True, metadata={'Date': None})
    head, tag, rest = buffer.getvalue().partition('<svg ')
    attributes, _, content = rest.partition('>')
    return f'{tag}{attributes}>{_STYLE}{content}'.replace(_INK, 'currentColor')


def _short(name: str) -> str:
    """Make a name fit for a legend; what XML has no character for is shown as one."""
    shown = ''.join(one if one.isprintable() else '\ufffd' for one in name[:_LONGEST_NAME])
    # One that begins with an underscore would be left out.
    return '\u200b' * name.startswith('_') + shown + '…' * (len(name) > _LONGEST_NAME)
