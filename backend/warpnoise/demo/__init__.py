"""``warpnoise demo``: renders a bundled scene in Blender and stylizes it.

scene          builds the scene; runs inside Blender and imports nothing of this package
blender        finds a Blender, and runs scripts and the add-on's command in it
comparison     shows the render, random noise and warped noise side by side, as pictures and a movie
steps          runs the steps in order
"""
