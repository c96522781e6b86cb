"""Saves a small animation that EEVEE renders: blender --background --factory-startup --python eevee_scene.py -- FILE"""

import sys

import bpy

scene = bpy.context.scene
engines = {"BLENDER_EEVEE", "BLENDER_EEVEE_NEXT"}  # the second name is that of 4.2 to 4.5, of the same engine
known = {item.identifier for item in scene.render.bl_rna.properties["engine"].enum_items}
scene.render.engine = (engines & known).pop()
scene.render.resolution_x = scene.render.resolution_y = 64
scene.eevee.taa_render_samples = 4
scene.frame_start, scene.frame_end = 1, 4
cube = bpy.data.objects["Cube"]
for frame, x in ((1, 0.0), (4, 1.0)):
    cube.location.x = x
    cube.keyframe_insert("location", index=0, frame=frame)
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[sys.argv.index("--") + 1])
