"""Preferences, properties, operators and panels.

preferences  which backend
properties   what is asked for, saved with the scene; the same names are the operator's arguments
options      properties and arguments -> a StylizeRequest
watching     operators that watch a session with a timer
operators    stylize, cancel, check the backend, add to the compositor
preview      the newest frame as a picture in the panel
before_after a previewed frame in the image editor, and its render
results      the result as a strip, in the image editor, as the movie
kept         results of other settings, to be switched between
panel        in Properties > Render, the compositor and the image editor
draw_...     what the panel's parts show
presets      of the settings, in the panel's header
style_pictures  what the default model's styles look like
"""
