"""Makes the pictures of docs/noise.md with the code that they explain.

    python docs/make_noise_pictures.py [particles] [covariances] [fidelity] [slices]

Needs the `dev` extra. All four take about two minutes.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot
from matplotlib.axes import Axes
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "backend" / "noise"))

from planes import WAYS, Way, all_maps, fidelity, pan
from warpnoise.noise import NOISE_METHODS, WarpedNoise, make_noise
from warpnoise.noise.kernels.types import FRAME_SHIFT, LEVEL, VISIBLE

TARGET = Path(__file__).resolve().parent / "images" / "noise"
COLOURS = "RdBu_r"
SHOWN = ("random", "fixed", "bilinear", "chained", "warped")
LINES = {
    "warped": ("#c1272d", "-"), "chained": ("#0072b2", "-"), "nearest": ("#009e73", "-"), "bilinear": ("#e69f00", "-"),
    "bicubic": ("#cc79a7", "-"), "fixed": ("#555555", "--"), "pyoco-progressive": ("#56b4e9", "--"),
    "pyoco-mixed": ("#8c6bb1", "--"), "control-a-video": ("#a6761d", ":"), "random": ("#999999", ":"),
}  # fmt: skip
STYLE = {"font.size": 9, "font.family": "DejaVu Sans", "axes.spines.top": False, "axes.spines.right": False}


def main() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    pyplot.rcParams.update(STYLE)
    chosen = sys.argv[1:] or list(PICTURES)
    for name in chosen:
        figure = PICTURES[name]()
        drawn = io.BytesIO()
        figure.savefig(drawn, dpi=110)
        pyplot.close(figure)
        Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(
            TARGET / f"{name}.png", optimize=True
        )
        print(TARGET / f"{name}.png", flush=True)


def particles() -> pyplot.Figure:
    """Particles in the pixels of a 4 x 4 noise: at spawn, turned, magnified and reduced; and their splat."""
    seed, size, ringed = 3, 4, (1, 2)
    figure, axes = pyplot.subplots(2, 4, figsize=(8.8, 4.9), layout="constrained")
    for column, (title, name, frames) in enumerate(
        (
            ("spawn: k x k particles a pixel", "still", 0),
            ("advect: a turn by 20 degrees", "turn", 20),
            ("split: 1.8 times as large", "zoom in", 60),
            ("merge: 1.8 times as small", "zoom out", 60),
        )
    ):
        noise = WarpedNoise((1, size, size), seed=seed)
        way = WAYS[name](size)
        for frame in range(frames):
            noise.advance(way.motion(frame, frame + 1))
        above, below = axes[:, column]
        scatter_particles(above, noise, ringed)
        below.imshow(noise.frame()[0], cmap=COLOURS, vmin=-2.5, vmax=2.5, extent=(0, size, size, 0))
        above.set_title(title, fontsize=9)
        for panel in (above, below):
            panel.set(xlim=(0, size), ylim=(size, 0), aspect="equal", xticks=[], yticks=[])
            panel.spines[:].set_visible(True)
            for line in range(1, size):
                panel.axhline(line, color="black", linewidth=0.8)
                panel.axvline(line, color="black", linewidth=0.8)
    axes[0, 0].set_ylabel("particles W")
    axes[1, 0].set_ylabel("sum: n = W / sqrt(area)")
    return figure


def scatter_particles(panel: Axes, noise: WarpedNoise, ringed: tuple[int, int]) -> None:
    """Draws particles of the first frame as discs, later ones as squares. Those of pixel (column, row) get a ring."""
    table, tree = noise._table, noise._tree  # this picture shows what is private
    noise.frame()  # draws the values
    rows, values, columns = table.rows_in(VISIBLE), table.values[0], table.particles
    origin, ix, iy = (column[rows].long() for column in (columns.origin, columns.ix, columns.iy))
    frame, level = origin >> FRAME_SHIFT, origin & LEVEL
    measure = tree.measures[level]
    values = values[rows, 0] / measure.sqrt()
    left, top = ix * 2.0 ** (tree.halvings - (level + 1) // 2), iy * 2.0 ** (tree.halvings - level // 2)
    x, y, old = columns.x[rows], columns.y[rows], frame == 0
    ours = old & (left.floor() == ringed[0]) & (top.floor() == ringed[1])
    for chosen, marker, edge, width in (
        (~old, "s", "#888888", 0.3),
        (old & ~ours, "o", "#888888", 0.3),
        (ours, "o", "black", 1.4),
    ):
        panel.scatter(
            x[chosen], y[chosen], c=values[chosen], s=680 * measure[chosen], marker=marker,
            cmap=COLOURS, vmin=-2.5, vmax=2.5, edgecolors=edge, linewidths=width,
        )  # fmt: skip


def covariances() -> pyplot.Figure:
    """16 x 16 matrices of a 4 x 4 noise after ten steps of 3 degrees: within the frame, and to the first frame."""
    size, steps, degrees = 4, 10, 3
    turn = WAYS["turn"](size)
    ideal = turn.covariance(degrees * steps, 0).to_dense().numpy()
    panels: list[tuple[str, np.ndarray, np.ndarray]] = [("exact", np.eye(size * size), ideal)]
    for name in sorted(NOISE_METHODS, key=list(LINES).index):
        noise = make_noise(name, (8192, size, size), seed=1)
        first = noise.frame().flatten(1)
        for step in range(steps):
            now = noise.advance(turn.motion(degrees * step, degrees * step + degrees)).flatten(1)
        panels.append((name, *((now.T @ other / len(now)).numpy() for other in (now, first))))
    across = 6
    figure, axes = pyplot.subplots(4, across, figsize=(8.8, 6.3), layout="constrained")
    for index in range(2 * across):
        pair = axes[2 * (index // across) :, index % across][:2]
        if index >= len(panels):
            for panel in pair:
                panel.set_axis_off()
            continue
        name, *matrices = panels[index]
        pair[0].set_title(name.replace("pyoco-", "pyoco-\n"), fontsize=9)
        for panel, matrix in zip(pair, matrices, strict=True):
            image = panel.imshow(matrix, cmap=COLOURS, vmin=-1, vmax=1)
            panel.set(xticks=[], yticks=[])
            panel.spines[:].set_visible(True)
    for row, label in enumerate(("frame 10\nwith itself", "frame 10\nwith frame 0") * 2):
        axes[row, 0].set_ylabel(label)
    figure.colorbar(image, ax=axes, shrink=0.5, label="covariance")
    return figure


def slow_turn(size: int) -> Way:
    """A degree a frame, and half a per cent larger."""
    middle = size / 2

    def place(t: float, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        z = (u - middle + 1j * (v - middle)) * np.exp(t * (np.log(1.005) + 1j * np.radians(1)))
        return z.real + middle, z.imag + middle

    return Way(size, place, lambda t, x, y: place(-t, x, y))


def fidelities() -> pyplot.Figure:
    """Fidelity to the first frame for each method."""
    frames, way = 48, slow_turn(48)
    asked = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, frames]
    exact = {frame: way.covariance(frame, 0) for frame in asked}
    figure, panel = pyplot.subplots(figsize=(6.4, 3.8), layout="constrained")
    for name in sorted(NOISE_METHODS, key=list(LINES).index):
        noise = make_noise(name, (64, way.size, way.size), seed=5, maps=2)
        first, values = all_maps(noise), [1.0]
        for frame in range(1, frames + 1):
            noise.advance(way.motion(frame - 1, frame))
            if frame in exact:
                value, error = fidelity(all_maps(noise), first, exact[frame])
                print(f"{name:>18}, frame {frame:2}: {value:.3f} +- {error:.3f}", flush=True)
                values.append(value)
        colour, style = LINES[name]
        width = 2.4 if name == "warped" else 1.3
        panel.plot([0, *asked], values, color=colour, linestyle=style, linewidth=width, label=name)
    panel.set(xlabel="frame", ylabel="fidelity to the first frame", xlim=(0, frames), ylim=(-0.05, 1.3))
    panel.grid(visible=True, alpha=0.3)
    panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return figure


def slices() -> pyplot.Figure:
    """Noise in three frames of a pan, and one of its rows over time: lines that lean are noise that moves along."""
    size, frames = 40, 40
    way = pan(0.37, 0.0)(size)
    figure, axes = pyplot.subplots(len(SHOWN), 4, figsize=(6.4, 7.6), layout="constrained")
    for row, name in enumerate(SHOWN):
        noise = make_noise(name, (1, size, size), seed=2)
        shot = [noise.frame()[0], *(noise.advance(way.motion(t, t + 1))[0] for t in range(frames - 1))]
        pictures = [shot[0], shot[10], shot[20], torch.stack([picture[size // 2] for picture in shot])]
        for panel, picture in zip(axes[row], pictures, strict=True):
            panel.imshow(picture, cmap="gray", vmin=-2.5, vmax=2.5, interpolation="nearest")
            panel.set(xticks=[], yticks=[])
            panel.spines[:].set_visible(False)
        axes[row, 0].set_ylabel(name)
    for panel, title in zip(axes[0], ("frame 0", "frame 10", "frame 20", "one row over time"), strict=True):
        panel.set_title(title)
    axes[-1, 3].set(xlabel="x")
    for panel in axes[:, 3]:
        panel.set_ylabel("time", fontsize=7)
    return figure


PICTURES = {"particles": particles, "covariances": covariances, "fidelity": fidelities, "slices": slices}

if __name__ == "__main__":
    main()
