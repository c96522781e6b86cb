"""The manual's pictures of what each setting does, with the default model on one frame of the demo.

    warpnoise demo --output demo-job --python .envs/bpy-5.0.1/bin/python --size 160 --frames 12 --scene-only
    .envs/bpy-5.0.1/bin/python -m warpnoise_addon demo-job/scene.blend export --frames 1:9 --output demo-job/job
    python docs/make_effects.py demo-job/job

They are written to docs/images/manual/, one strip for each setting: the render, then the values.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from warpnoise.demo.comparison import GAP, INK, PAPER, load
from warpnoise.job import Settings, Shot
from warpnoise.media.atomic import replacing
from warpnoise.pipeline import stylize
from warpnoise.sdedit import load_model
from warpnoise.sdedit.editor import Editor

FOLDER = Path(__file__).parent / "images" / "manual"
BASE = Settings(style="oil", strength=0.5)
"""What is not varied."""

VARIATIONS: dict[str, list[dict[str, Any]]] = {
    "strength": [{"strength": value} for value in (0.2, 0.4, 0.6, 0.8)],
    "style": [{"style": value} for value in ("photoreal", "oil", "ink", "watercolour")],
    "guidance": [{"guidance": value} for value in (1.0, 2.0, 4.0, 8.0)],
    "texture": [{"texture": value} for value in (0.0, 0.1, 0.2, 0.4)],
    "eta": [{"eta": value} for value in (0.0, 0.3, 0.6, 1.0)],
    "seed": [{"seed": value} for value in (0, 1, 2, 3)],
}
METHODS = ("warped", "random", "fixed")
CAPTION = 20
"""Pixels for a line of text."""


@cache
def _editor(name: str, device: str | None, dtype: str | None) -> Editor:
    return load_model(name, device, dtype)


def stylized(job: Shot, frames: Sequence[int], changes: dict[str, Any]) -> list[Image.Image]:
    """``frames`` with ``BASE`` and ``changes``."""
    result = stylize(job, BASE.updated(changes), frames=frames, batch=1, load=_editor).result
    assert result is not None
    return [Image.fromarray(load(result.frame(frame))) for frame in frames]


def write_strips(path: Path, rows: Sequence[Sequence[tuple[str, Image.Image]]]) -> None:
    """A JPEG with a row of captioned pictures, all of one size, for each of ``rows``."""
    width, height = rows[0][0][1].size
    size = (GAP + len(rows[0]) * (width + GAP), GAP + len(rows) * (height + CAPTION + GAP))
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    for row, pictures in enumerate(rows):
        top = GAP + row * (height + CAPTION + GAP)
        for column, (caption, picture) in enumerate(pictures):
            left = GAP + column * (width + GAP)
            draw.text((left + 1, top + CAPTION // 2), caption, INK, ImageFont.load_default(13), anchor="lm")
            sheet.paste(picture, (left, top + CAPTION))
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        sheet.save(file, format="JPEG", quality=88, optimize=True)
    print(path, f"{path.stat().st_size / 1000:.0f} kB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", type=Path)
    parser.add_argument("--only", nargs="*", choices=[*VARIATIONS, "noise"], help="only these pictures")
    arguments = parser.parse_args()
    job = Shot.open(arguments.job)
    first = job.frames[0]
    render = Image.fromarray(load(job.color(first)))
    for name, variations in VARIATIONS.items():
        if arguments.only is None or name in arguments.only:
            row = [("the render", render)]
            for changes in variations:
                value = changes[name]
                row.append((value if isinstance(value, str) else f"{name} {value}", stylized(job, [first], changes)[0]))
            write_strips(FOLDER / f"{name}.jpg", [row])
    if arguments.only is None or "noise" in arguments.only:
        shown = job.frames[:: max(1, len(job.frames) // 2)][:3]
        renders = [Image.fromarray(load(job.color(frame))) for frame in shown]
        rows = [[(f"the render, frame {frame}", picture) for frame, picture in zip(shown, renders, strict=True)]]
        for method in METHODS:
            pictures = stylized(job, shown, {"noise": method})
            rows.append([(f"{method}, frame {frame}", p) for frame, p in zip(shown, pictures, strict=True)])
        write_strips(FOLDER / "noise.jpg", rows)


if __name__ == "__main__":
    main()
