"""Makes the pictures of docs/noise.md, out of the code that they explain.

python docs/make_noise_pictures.py            (with the `dev` extra, from the repository's root; about two minutes)
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot
from matplotlib.axes import Axes

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "backend" / "noise"))

from planes import WAYS, Way, all_maps, fidelity, pan
from warpnoise.noise import NOISE_METHODS, WarpedNoise, make_noise

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
    for name, draw in (("atoms", atoms), ("covariances", covariances), ("fidelity", fidelities), ("slices", slices)):
        figure = draw()
        figure.savefig(TARGET / f"{name}.png", dpi=110, metadata={"Software": None})
        pyplot.close(figure)
        print(TARGET / f"{name}.png", flush=True)


def atoms() -> pyplot.Figure:
    """Atoms in the pixels of a 4 x 4 noise: at birth, turned, magnified; and what they sum to."""
    seed, size = 3, 4
    scenes: list[tuple[str, WarpedNoise]] = []
    for title, name, frames in (
        ("birth: 4 x 4 atoms a pixel", "still", 0),
        ("motion: turned by 20 degrees,\nnew atoms where nothing was", "turn", 20),
        ("split: magnified 1.8 times", "zoom in", 60),
    ):
        noise = WarpedNoise((1, size, size), seed=seed)
        way = WAYS[name](size)
        for frame in range(frames):
            noise.advance(way.motion(frame, frame + 1))
        scenes.append((title, noise))
    figure, axes = pyplot.subplots(2, 3, figsize=(7.6, 5.4), layout="constrained")
    for column, (title, noise) in enumerate(scenes):  # what is inside of it is what this picture is of
        table = noise._table
        rows = torch.arange(table.count)
        values = noise._engine.values(noise._pyramid, table, rows, 1, 0)[:, 0]
        level = table.nodes(table.atoms.cell, table.atoms.code).level
        deviation = noise._pyramid.measure(level).sqrt()
        above, below = axes[:, column]
        above.scatter(
            table.atoms.x, table.atoms.y, c=values / deviation, s=260 * deviation, cmap=COLOURS, vmin=-2.5, vmax=2.5,
            edgecolors="#444444", linewidths=0.3,
        )  # fmt: skip
        below.imshow(noise.frame()[0], cmap=COLOURS, vmin=-2.5, vmax=2.5, extent=(0, size, size, 0))
        above.set_title(title)
        below.set_title("their sum over the square root\nof their measure" if column == 0 else "")
        for panel in (above, below):
            grid(panel, size)
    return figure


def grid(panel: Axes, size: int) -> None:
    panel.set(xlim=(0, size), ylim=(size, 0), aspect="equal", xticks=[], yticks=[])
    for line in range(size + 1):
        panel.axhline(line, color="black", linewidth=0.8)
        panel.axvline(line, color="black", linewidth=0.8)


def covariances() -> pyplot.Figure:
    """16 x 16 matrices of a 4 x 4 noise after four steps of 5 degrees: within the frame, and to the first frame."""
    size, steps = 4, 4
    turn = WAYS["turn"](size)
    methods = ("bilinear", "bicubic", "nearest", "chained", "warped")
    columns: list[tuple[str, np.ndarray, np.ndarray]] = []
    for name in methods:
        noise = make_noise(name, (8192, size, size), seed=1)
        first = noise.frame().flatten(1)
        for step in range(steps):
            now = noise.advance(turn.motion(5 * step, 5 * step + 5)).flatten(1)
        columns.append((name, *((now.T @ other / len(now)).numpy() for other in (now, first))))
    ideal = turn.covariance(5 * steps, 0).to_dense().numpy()
    columns.append(("exact", np.eye(size * size), ideal))
    figure, axes = pyplot.subplots(2, len(columns), figsize=(9.2, 3.6), layout="constrained")
    for column, (name, *matrices) in enumerate(columns):
        for row, matrix in enumerate(matrices):
            panel = axes[row, column]
            image = panel.imshow(matrix, cmap=COLOURS, vmin=-1, vmax=1)
            panel.set(xticks=[], yticks=[])
            panel.spines[["top", "right"]].set_visible(True)
        axes[0, column].set_title(name)
    axes[0, 0].set_ylabel("within frame 4")
    axes[1, 0].set_ylabel("frame 4 with frame 0")
    figure.colorbar(image, ax=axes, shrink=0.8, label="covariance")
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
                values.append(fidelity(all_maps(noise), first, exact[frame])[0])
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
        axes[row, 0].set_ylabel(name)
    for panel, title in zip(axes[0], ("frame 0", "frame 10", "frame 20", "one row over time"), strict=True):
        panel.set_title(title)
    axes[-1, 3].set(xlabel="x")
    for panel in axes[:, 3]:
        panel.set_ylabel("time", fontsize=7)
    return figure


if __name__ == "__main__":
    main()
