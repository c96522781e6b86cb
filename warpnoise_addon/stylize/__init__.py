"""The whole road: scene -> job folder -> backend -> stylized frames.

request         what is asked for
status          how far it is
backends        the one backend process that runs are given to
export_process  the export in a second, background Blender
check           the check-up's findings
session         all of it in a thread, for a Blender with a window
setup_session   an environment for the backend, made in a thread
model_sessions  the list of models, and the download of one, in threads
model_facts     what backends have said about models
blocking        all of it in place, for a Blender in the background
state           the session that runs now, and how the last one ended
"""
