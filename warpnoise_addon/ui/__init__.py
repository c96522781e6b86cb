"""Preferences, properties, operators and panels.

preferences      which backend; drawn with the environment and the findings of the check
properties       what is asked for, saved with the scene; the same names are the operator's arguments; their presets
make_request     properties and arguments -> a StylizeRequest
..._operators    stylize and cancel; the backend's check and set-up; models; what is done with results
operator_mixins  reports, confirmation, and operators that follow a session with a timer
panel            in Properties > Render, the compositor and the image editor
draw_...         what the parts of the panel show
first_run        the first buttons, the trial, and its playback
image_editor     the previewed frame beside its render, and the stylized frames
model_list       models that are installed and suggested
key_pictures     the user's own paintings of some frames
icons            the newest frame, and what the default model's styles look like
texts            lines of text, and their translation
"""
