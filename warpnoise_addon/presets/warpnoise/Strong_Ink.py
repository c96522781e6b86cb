import bpy

bpy.ops.warpnoise.reset_look()
settings = bpy.context.scene.warpnoise
settings.style = "ink"
settings.strength = 0.6
