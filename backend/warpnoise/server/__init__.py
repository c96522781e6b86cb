"""``warpnoise serve``: the process that the add-on talks to, over the HTTP interface of docs/architecture.md.

    tokens     where the token comes from, and the check of every request
    schema     what goes in and out, as JSON
    jobs       one job at a time, in a thread of its own
    app        the calls
    serve      the socket, the announcement, the signals, the end

A client needs nothing of this package: it needs the interface's version and the token.
"""

INTERFACE = 2
"""The version of the HTTP interface; a client refuses another one than its own."""
