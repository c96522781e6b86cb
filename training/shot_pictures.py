"""Shows the shots of docs/results.md: the first and the last frame of each shot, rendered plain, stylized with warped
noise, and path traced.

python -m training.shot_pictures shots/truck shots/orbit shots/dolly --output docs/images/results.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

from training.kuwahara import Image
from training.paint_dataset import read, write
from training.pictures import stack


def shot_sheet(shots: list[Path]) -> Image:
    """A row for each shot, seed 0. Raises SystemExit if one was not compared."""
    columns: dict[str, list[Image]] = {}
    for shot in shots:
        made = shot / "job" / "compare" / "appearance" / "warped" / "seed0"
        frames = sorted(path.name for path in made.glob("[0-9]*.png"))
        if not frames:
            raise SystemExit(f"{made}: no frames there; run warpnoise compare {shot / 'job'} first")
        for name, frame in (("first", frames[0]), ("last", frames[-1])):
            folders = {"plain render": shot / "job" / "color", "stylized": made, "path traced": shot / "reference"}
            for what, folder in folders.items():
                columns.setdefault(f"{what}, {name} frame", []).append(read(folder / frame))
    return stack(columns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shots", type=Path, nargs="+", help="folders that training.shots made, compared")
    parser.add_argument("--output", type=Path, required=True, help="a .jpg or .png")
    options = parser.parse_args()
    write(options.output, shot_sheet(options.shots))


if __name__ == "__main__":
    main()
