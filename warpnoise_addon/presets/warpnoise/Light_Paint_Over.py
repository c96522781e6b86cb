import bpy

settings = bpy.context.scene.warpnoise

settings.model = "default"
settings.style = "oil"
settings.prompt = ""
settings.negative_prompt = ""
settings.strength = 0.35
settings.use_steps = False
settings.steps = 8
settings.use_guidance = False
settings.guidance = 7.5
settings.use_texture = False
settings.texture = 0.2
settings.eta = 0.0
settings.noise = "warped"
