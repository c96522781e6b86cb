"""How the default model was made: rendering, painting, training, export. Not part of the installed package."""
