"""A whole run: scene -> job folder -> backend -> stylized frames.

request         the parameters of a run
status          its progress
backends        the backend process that all runs share
second_blender  the copy of the file, and the command line, for the export in the background
session         a run in a thread, for a Blender with a window; the export is a child process
check           the check of the backend, and a set-up, in a thread
model_sessions  the list of models, and a download, in threads
model_facts     what backends have reported about models
blocking        a run in place, for a Blender in background mode
state           the session that runs now, and how the last one ended
"""
