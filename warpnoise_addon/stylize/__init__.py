"""The whole road: scene -> job folder -> backend -> stylized frames.

request         what is asked for
status          how far it is
backends        the one backend process that runs are given to
export_process  the export in a second, background Blender
session         all of it in a thread, for a Blender with a window
blocking        all of it in place, for a Blender in the background
state           the session that runs now, and how the last one ended
"""
