"""Run in another Blender than the tests': saves a scene with settings and a compositor. See `test_other_versions.py`.

python save_scene.py JOB FILE.blend
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import bpy

import warpnoise_addon
from warpnoise_addon.compositor import add_stylized

job, file = map(Path, sys.argv[1:])
bpy.ops.wm.read_factory_settings(use_empty=True)
warpnoise_addon.register()
scene = bpy.context.scene
scene.collection.objects.link(camera := bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera")))
scene.camera = camera
scene.render.engine = "CYCLES"
scene.cycles.samples = 1
scene.cycles.use_denoising = False
scene.render.resolution_x, scene.render.resolution_y = json.loads((job / "size.json").read_text())
scene.render.dither_intensity = 0.0
scene.render.film_transparent = True
scene.view_settings.view_transform = "Standard"
for name, value in json.loads((job / "settings.json").read_text()).items():
    setattr(scene.warpnoise, name, value)
assert add_stylized(scene, job).connected
bpy.ops.wm.save_as_mainfile(filepath=str(file))
warpnoise_addon.unregister()
