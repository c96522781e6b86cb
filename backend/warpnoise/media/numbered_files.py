"""Folders of numbered files: finds the file of each frame."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from warpnoise.errors import MediaError, WarpnoiseError, first_few

# `shot-0003` is frame 3 of `shot-`; only a name that is nothing but a number has a sign.
_NUMBER = re.compile(r"^-\d+$|\d+$")


def numbered_files(
    folder: Path, suffixes: Collection[str], frames: Collection[int], *, error: type[WarpnoiseError] = MediaError
) -> dict[int, Path]:
    """The file of each frame: one with a suffix of ``suffixes`` (lower case), whose name ends with the frame's number.

    Raises:
        error: no such folder; two files for one frame; frames without a file.
    """
    if not folder.is_dir():
        raise error(f"There is no folder '{folder}'. Choose the folder that the frames were rendered into.")
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        match = _NUMBER.search(path.stem)
        if match is None or path.suffix.lower() not in suffixes or path.name.startswith("."):
            continue
        frame = int(match[0])
        if frame in found and frame in frames:
            raise error(
                f"Folder '{folder}' has two files for frame {frame}: '{found[frame].name}' and '{path.name}'. Move the "
                "files of one sequence into a separate folder."
            )
        found[frame] = path
    missing = [frame for frame in frames if frame not in found]
    if missing:
        kinds = ", ".join(sorted(suffixes))
        raise error(
            f"Folder '{folder}' has no file for {len(missing)} of {len(frames)} frames: {first_few(missing)}. Expected "
            f"one file for each frame ({kinds}), with the frame's number last in its name, as in "
            f"'render_{missing[0]:04d}'."
        )
    return {frame: found[frame] for frame in frames}
