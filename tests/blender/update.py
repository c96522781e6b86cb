"""One step of update.sh: sets preferences and a scene's settings, reads them, or finds that nothing is there.

blender --background --python update.py -- "set 0.1.0"|"read 0.2.0"|gone WORK
"""

import sys
from pathlib import Path

import bpy

MODULE = "bl_ext.farm.warpnoise"
PREFERENCES = {"python": "/opt/warpnoise/bin/python"}
SETTINGS = {"style": "ink", "strength": 0.25, "seed": 7, "prompt": "a castle", "frame_end": 96}

step, work = sys.argv[sys.argv.index("--") + 1 :]
action, _, version = step.partition(" ")
scene = bpy.context.scene
if action == "gone":
    if MODULE in bpy.context.preferences.addons or hasattr(bpy.types.Scene, "warpnoise"):
        sys.exit("the extension is still there")
    sys.exit(0)

preferences = bpy.context.preferences.addons[MODULE].preferences
package = sys.modules[MODULE]
found = sys.modules[f"{MODULE}.warpnoise_addon"].version.VERSION
if found != version:
    sys.exit(f"expected the version {version}, got {found}")
if str(Path(package.__file__).parent) != str(Path(bpy.utils.user_resource("EXTENSIONS")) / "farm" / "warpnoise"):
    sys.exit(f"it runs from {package.__file__}")
for owner, values in ((preferences, PREFERENCES), (scene.warpnoise, SETTINGS)):
    for name, value in values.items():
        if action == "set":
            setattr(owner, name, value)
        elif getattr(owner, name) != value:
            sys.exit(f"{name}: expected {value!r}, got {getattr(owner, name)!r}")
if action == "set":
    bpy.ops.wm.save_userpref()
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(work) / "scene.blend"))
