"""Line charts of a figure over the lag, as SVG in the colours of the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from warpnoise.compare.experiment.report import Figure

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 172, 20, 48
LINE_PX = 17
"""Between two labels, at least."""


@dataclass(frozen=True)
class Line:
    """``kind``: the class that the page's style sheet knows; ``values``: by lag."""

    name: str
    kind: str
    values: Mapping[int, Figure]


def line_chart(title: str, lines: Sequence[Line], lags: Sequence[int], *, scale: float = 1) -> Markup:
    """The lines with their spread as bars and their names at the right end; the axis starts at 0.

    ``scale``: what values are multiplied with before they are written at the axis. An empty text if there is nothing.
    """
    lines = [line for line in lines if line.values]
    if not lines:
        return Markup("")
    top = max(figure.mean + (figure.spread or 0) for line in lines for figure in line.values.values()) * scale
    step = _step(top)
    limit = step * max(math.ceil(top / step), 1)
    x = {lag: LEFT + (WIDTH - LEFT - RIGHT) * (i / max(len(lags) - 1, 1)) for i, lag in enumerate(lags)}

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / limit

    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">']
    for index in range(round(limit / step) + 1):
        tick = index * step
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 10}" y="{y(tick) + 5:.1f}" text-anchor="end">{tick:.4g}</text>')
    for lag in lags:
        parts.append(
            f'<text class="tick" x="{x[lag]:.1f}" y="{HEIGHT - BOTTOM + 22}" text-anchor="middle">{lag}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text class="tick" x="{middle:.0f}" y="{HEIGHT - 6}" text-anchor="middle">lag, frames</text>')
    for line in sorted(lines, key=lambda each: each.kind == "ours"):  # ours is drawn last, above the others
        parts += _draw(line, x, y_of=lambda value: y(value * scale))
    ends = {line.name: y(line.values[max(line.values)].mean * scale) for line in lines}
    places = _spread_out(ends)
    for line in lines:
        end = x[max(line.values)]
        place, label = places[line.name], WIDTH - RIGHT + 22
        parts.append(
            f'<path class="leader" d="M{end + 6:.1f} {ends[line.name]:.1f}L{label - 4:.1f} {place:.1f}"/>'
            f'<text class="label {line.kind}" x="{label}" y="{place + 5:.1f}">{escape(line.name)}</text>'
        )
    return Markup("".join([*parts, "</svg>"]))


def _draw(line: Line, x: Mapping[int, float], y_of: Callable[[float], float]) -> list[str]:
    points = [(x[lag], y_of(figure.mean), figure) for lag, figure in sorted(line.values.items())]
    path = "M" + "L".join(f"{px:.1f} {py:.1f}" for px, py, _ in points)
    parts = [f'<path class="line {line.kind}" d="{path}"/>']
    for px, py, figure in points:
        if figure.spread:
            low, high = y_of(figure.mean - figure.spread), y_of(figure.mean + figure.spread)
            parts.append(
                f'<line class="spread {line.kind}" x1="{px:.1f}" x2="{px:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
            )
        parts.append(f'<circle class="dot {line.kind}" cx="{px:.1f}" cy="{py:.1f}" r="3.5"/>')
    return parts


def _step(top: float) -> float:
    """1, 2 or 5 times a power of ten, so that the axis has four to eight of them."""
    if top <= 0:
        return 1.0
    raw = top / 5
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)


def _spread_out(ends: Mapping[str, float]) -> dict[str, float]:
    """Heights of labels that do not overlap and stay as near to where the lines end as they can."""
    names = sorted(ends, key=lambda name: ends[name])
    groups: list[tuple[list[str], float]] = []
    for name in names:
        groups.append(([name], ends[name]))
        while len(groups) > 1 and groups[-1][1] - _half(groups[-1]) < groups[-2][1] + _half(groups[-2]):
            below, above = groups.pop(), groups.pop()
            merged = above[0] + below[0]
            centre = sum(ends[each] for each in merged) / len(merged)
            room = len(merged) * LINE_PX / 2
            groups.append((merged, min(max(centre, room), HEIGHT - room)))
    return {
        name: centre + (index - (len(members) - 1) / 2) * LINE_PX
        for members, centre in groups
        for index, name in enumerate(members)
    }


def _half(group: tuple[list[str], float]) -> float:
    return len(group[0]) * LINE_PX / 2
