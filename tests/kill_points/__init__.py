"""A process is killed at every one of its file operations, one process an operation, and what it leaves is looked at.

``operations`` ends the process, ``children`` starts it. The scenarios are beside what they test, marked ``kill``:
``make test-kill`` runs them alone.
"""
