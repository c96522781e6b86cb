"""Preferences, properties, operators and panels.

preferences      which backend
properties       what is asked for, saved with the scene; the same names are the operator's arguments
make_request     properties and arguments -> a StylizeRequest
..._operators    stylize and cancel; the backend's check and set-up; what is done with results
before_after     a previewed frame in the image editor, and its render
playback         the preview range after a trial
modal_session    operators that follow a session with a timer
panel            in Properties > Render, the compositor and the image editor
draw_...         what the parts of the panel and the preferences show
model_list       models that are installed and suggested
model_operators  their download, removal and base
item_lists       settings that are lists, with + and -
key_pictures     the user's own paintings of some frames
presets          of the settings, in the panel's header
pictures         the newest frame, and what the default model's styles look like
texts            lines of text, and their translation
"""
