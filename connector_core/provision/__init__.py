"""The provisioning engine: access decisions carried out, once, verifiably, and never by accident.

::

    options.py   the options of every change of access
    desired_state.py  what is wanted for an account, and whether it is so already
    guards.py    what is refused before any write
    calls.py     asking the connector's hooks, which may write only where that is allowed
    accounts.py  accounts in the application, found and read
    listing.py   the accounts that the application lists now
    principals.py  which account or group a text names
    operation_log.py  the journal and the picture, written as one
    engine.py    read, guard, write ahead, write once
    verify.py    what became of a write
    settle.py    the result of one whose reply never came
    requests.py  what a person asks for, as desired states
    holder.py    whether who began an operation still lives
    people_file.py  who should have what, from a CSV file
    matching.py  which account of the picture a name means
    effects.py   what a step does to what an account holds, and to paid seats
    surplus.py   what people hold beyond what a file names
    planner.py   what a plan has to do
    undo.py      how accounts were before a plan, and which are left alone
    plan.py      a reviewed list of operations
    earlier_applies.py  what earlier applies of a plan did
    accounts_on_the_way.py  what accounts hold between two steps for them
    apply.py     carrying a plan out
"""
