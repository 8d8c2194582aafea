"""The embedding API: `Host` and `Connection`. The command line is a client of it.

::

    host.py          Host: plugins, configuration and state put together
    connection.py    Connection: what can be asked of one account of an application
    setup.py         Host.configure, rename and remove; what a set-up did
    setup_entry.py   what a set-up changes, for the journal
    setup_words.py   what a variable or an app says in place of a connection's table
    draft.py         Host.add: a new connection, tried before it is saved
    record.py        its half that reads the state alone
    answer_rows.py   answers of any size, read while they are gone through
    sync_run.py      one call of Connection.sync
    plans.py         Connection.plan and Connection.apply
    protected_entries.py  entries of protected that name no account
    audit.py         refused attempts and changes of set-up in the journal
    provisioning.py  opens the provisioning engine and settles what is open
    precious.py      files that no command may write over
    status.py        how connections are doing
    log_follower.py  following the log while others write it
    traffic.py       requests, counted for the log
"""

from connector_core.host.connection import Connection
from connector_core.host.host import Capabilities, Host

__all__ = ["Capabilities", "Connection", "Host"]
