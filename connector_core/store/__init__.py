"""The state file: the only SQL of the project.

::

    database.py      opening: modes, pragmas, transactions
    lock.py          one sync or apply of a connection at a time
    schema.py        tables, as migrations
    columns.py       a resource in columns: which there are, there and back
    activity.py      what of a resource is kept apart from its versions
    views.py         public views, and the query for who has what
    restore.py       the state replaced by a backup
    backup.py        a copy of the file while it is in use
    companions.py    files next to the state, for one connection each
    connections.py   connections, events, entitlements
    runs.py          syncs as rows
    frontier.py      open cursors of a running sync
    staging.py       what a running sync has read, page by page
    stage.py         the rows of one page into the staging tables
    rows.py          a row on its way there
    copies.py        rows given twice by one list, merged
    same.py          rows read exactly as the picture has them
    judge.py         whether a stream was read in full
    endings.py       what ends a grant
    removals.py      what would leave the picture
    losses.py        what the guard counts of it
    publish.py       from what was read to the picture, with history
    labels.py        what people call roles, groups and projects
    naming.py        accounts by their names, now, then and ever
    protected.py     accounts that an entry of protected named once
    follow.py        from an operation to the picture
    journal.py       operations as rows
    applies.py       plans carried out, as rows
    audit.py         refused attempts and changes of set-up as rows
    logs.py          the log kept with the state
    elapsed.py       how much time this state has witnessed
    prune.py         forgetting old history
    queries.py       answers about one connection
    access.py        who has what, a page of accounts at a time
    overview.py      how a connection is doing
    changes.py       differences between pictures
    undo.py          what a plan changed, and what changed since
    history.py       one person through all pictures
"""
