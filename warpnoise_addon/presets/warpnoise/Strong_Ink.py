import bpy

settings = bpy.context.scene.warpnoise

settings.reset_look()
settings.style = "ink"
settings.strength = 0.6
