import bpy

settings = bpy.context.scene.warpnoise

settings.reset_look()
settings.style = "oil"
settings.strength = 0.35
