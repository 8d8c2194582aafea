"""Whimsical over SCIM 2.0.

::

    plugin.py        the hooks
    settings.py      what an administrator can set
    client.py        the SCIM client of one workspace, with Whimsical's own hints
    users.py         users, and with them their roles
    roles.py         the two roles and what they say of themselves
    provisioning.py  the writes
    checking.py      what `check` finds
    sandbox.py       the stand-in workspace to try things out on
    people.py        the people in it
"""
