"""Renders two frames of a saved, stylized scene through its compositor and compares them with the stylized PNGs.

blender --background stylized.blend --python through_compositor.py -- JOB
"""

import json
import sys
import tempfile
from pathlib import Path

import bpy
import numpy as np

TOLERANCE = 2 / 255
SHARE = 0.001
"""Of the pixels that may be further off: the inverse of AgX in Blender's configuration fails for 0.03% of colours."""


def pixels(path: Path) -> np.ndarray:
    """The file's RGB values as they are encoded, (height, width, 3) float32 in [0, 1]."""
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = "Non-Color"
    values = np.empty(image.size[0] * image.size[1] * image.channels, np.float32)
    image.pixels.foreach_get(values)
    return values.reshape(image.size[1], image.size[0], image.channels)[..., :3]


job = Path(sys.argv[sys.argv.index("--") + 1])
result = job / "results" / json.loads((job / "current.json").read_bytes())["result"]
scene = bpy.context.scene
settings = scene.render.image_settings
settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGB", "16"
with tempfile.TemporaryDirectory() as folder:
    for frame in (2, 4):
        scene.frame_set(frame)
        scene.render.filepath = str(Path(folder) / f"{frame:04d}.png")
        bpy.ops.render.render(write_still=True)
        shown = pixels(Path(scene.render.filepath))
        difference = np.abs(shown - pixels(result / "frames" / f"{frame:04d}.png")).max(axis=2)
        untouched = np.abs(shown - pixels(job / "color" / f"{frame:04d}.png")).max(axis=2)
        off = np.mean(difference > TOLERANCE)
        print(f"frame {frame}: {difference.max() * 255:.3f}/255 from the stylized, {off:.2%} of it by more than 2/255;")
        print(f"         {untouched.max() * 255:.1f}/255 from the render")
        if off > SHARE or np.mean(untouched > TOLERANCE) < 0.1:
            sys.exit(f"frame {frame}: the compositor does not show the stylized frame")
