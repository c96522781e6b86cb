"""Run in Blender or with the bpy wheel: set up the backend of the installed extension, stylize two frames.

blender --background --online-mode --python in_blender.py -- SET_UP JOB     SET_UP: the operator's arguments as JSON
"""

import json
import sys
from pathlib import Path

import bpy

MODULE = "bl_ext.user_default.warpnoise"

set_up, job = sys.argv[sys.argv.index("--") + 1 :]
if MODULE not in bpy.context.preferences.addons:  # the bpy wheel has no command line that enables it
    import addon_utils

    addon_utils.enable(MODULE, default_set=True)
bpy.context.preferences.system.use_online_access = not json.loads(set_up).get("wheels")
assert bpy.ops.warpnoise.set_up(**json.loads(set_up)) == {"FINISHED"}

scene = bpy.context.scene
scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 4, False
cube = bpy.data.objects["Cube"]
for frame, x in ((1, 0.0), (2, 0.5)):
    cube.location.x = x
    cube.keyframe_insert("location", index=0, frame=frame)
assert bpy.ops.warpnoise.stylize(size=64, frames="1:2", steps=4, output=job) == {"FINISHED"}
made = sorted(path.name for path in Path(job).glob("results/*/frames/*.png"))
assert made == ["0001.png", "0002.png"], made
print("from the zip to a stylized frame in", bpy.app.version_string)
