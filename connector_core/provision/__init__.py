"""The provisioning engine: access decisions carried out, once, verifiably, and never by accident.

::

    options.py   what every change of access can be told
    desired_state.py  what is wanted for an account, and whether it is so already
    guards.py    what is refused before any write
    calls.py     asking the connector's hooks, which may write only when they are told to
    accounts.py  accounts in the application, found and read
    operation_log.py  the journal and the picture, written as one
    engine.py    read, guard, write ahead, write once
    verify.py    what became of a write
    settle.py    what became of one that nobody saw the end of
    requests.py  what a person asks for, as wishes: finding the account, coming back, steps
    holder.py    whether who began an operation still lives
    people_file.py  who should have what, from a CSV file
    matching.py  which account of the picture a name means
    planner.py   what a plan has to do
    undo.py      how accounts were before a plan, and which are left alone
    plan.py      a reviewed list of operations
    apply.py     carrying a plan out
"""
