"""A whole run: scene -> job folder -> backend -> stylized frames.

request         the parameters of a run
status          its progress
backends        the backend process that all runs share
export_process  the export in a second Blender, in the background
check           the check of the backend
session         a run, the check of the backend or a set-up in a thread, for a Blender with a window
model_sessions  the list of models, and a download, in threads
model_facts     what backends have reported about models
blocking        a run in place, for a Blender in background mode
state           the session that runs now, and how the last one ended
"""
