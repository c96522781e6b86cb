"""``warpnoise serve``: the process that the add-on talks to, over the HTTP interface of docs/architecture.md.

    tokens     reads the token, and checks it in every request
    schema     requests and answers as JSON
    jobs       runs one job at a time, in a separate thread
    app        the calls
    serve      the socket, the announcement, the signals, the end

A client needs nothing of this package, only the interface's version and the token.
"""

INTERFACE = 2
"""The version of the HTTP interface; a client refuses another one than its own."""
