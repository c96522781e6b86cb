"""Models of the Hugging Face hub, and the lists of installed and suggested models.

`remote` asks the hub, `download` downloads, `listing` makes the lists. Only ``remote`` and ``download`` use the
network, and only if the user has asked for it. Running a model never does.
"""
