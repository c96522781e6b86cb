"""Set Up: creates a Python environment with the backend. Imports no bpy.

hardware      detects the graphics card and chooses the build of PyTorch
plan          lists the commands, for the dialog and for install; locates the backend's wheel in the extension
environments  finds a Python that can create them, names the current one, removes old ones
supervise     a script that runs pip and ends it when Blender ends
install       runs a plan, with progress and cancelling; updates an environment
"""
