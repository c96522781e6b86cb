"""Plays Blender and the add-on for tests of the demo's steps: stub_blender.py MODEL ARGUMENT...

A script "runs" by leaving an empty file; the add-on's command makes the synthetic job and stylizes it for real.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path


def main(model: str, arguments: list[str]) -> int:
    if "--python" in arguments:
        Path(arguments[arguments.index("--") + 1]).touch()
        return 0
    called = re.search(r"main\((\[.*\])\)", arguments[-1])
    assert called is not None
    blend, *command = ast.literal_eval(called[1])
    given = dict(text.split("=", 1) for text in command[1:])
    print("Blender 0.0", Path(blend).is_file(), command[0])
    seed = int(given.get("--seed", "0"))
    if seed == 13:
        print("warpnoise: Failed: an unlucky number", file=sys.stderr)
        return 3
    from warpnoise.job import Settings
    from warpnoise.pipeline import stylize

    from backend import synthetic

    frames = int(given["--frames"].split(":")[1])
    settings = Settings(model=model, steps=2, seed=seed)
    print("warpnoise: Rendering 0/2")
    job = synthetic.make_job(Path(given["--output"]), frames=frames, settings=settings)
    stylize(job)
    Path(given["--save"]).touch()
    print("warpnoise: Done")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
