"""``warpnoise demo``: a bundled scene from Blender through all of it and back.

scene          builds the scene; runs inside Blender and imports nothing of this package
blender        finds a Blender and runs scripts and the add-on's command in it
comparison     pictures and a movie of the render, random noise and warped noise beside each other
steps          the steps, one after another
"""
