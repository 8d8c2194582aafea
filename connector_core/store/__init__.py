"""The state file: the only SQL of the project.

::

    database.py      opening: modes, pragmas, transactions
    lock.py          one sync or apply of a connection at a time
    schema.py        tables and public views, as migrations
    connections.py   connections, events, entitlements
    runs.py          syncs as rows
    frontier.py      open cursors of the sync that runs
    staging.py       what it has read, and rows.py what a row is
    judge.py         whether a stream was read in full
    removals.py      what would leave the picture
    publish.py       from what was read to the picture, with history
    follow.py        from an operation to the picture
    journal.py       operations as rows
    logs.py          the log kept with the state
    prune.py         forgetting old history
    queries.py       answers, overview.py those over all connections
    changes.py       differences between pictures, history.py one person's
"""
