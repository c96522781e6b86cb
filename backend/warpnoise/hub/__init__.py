"""Models from the Hugging Face hub, and the lists of models: what is installed and what is suggested.

`remote` asks the hub, `download` fetches, `installed` and `suggested` list. Only ``remote`` and ``download`` reach the
network, and only when the user asked for it: running a model never does.
"""
