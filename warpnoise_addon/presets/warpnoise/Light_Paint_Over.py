import bpy

bpy.ops.warpnoise.reset_look()
settings = bpy.context.scene.warpnoise
settings.style = "oil"
settings.strength = 0.35
