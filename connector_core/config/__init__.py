"""Configuration: which values are in force, where each came from, and where secrets are kept.

::

    configuration.py  the file and the environment; each value with its origin
    identity.py       the identities in the file, each once
    guard.py          a connection's own limits for what may leave the picture
    reading.py        a secret and an address only of one reading
    addresses.py      addresses among the settings: checked, and shown
    file.py           changing the file, comments and order kept
    secrets.py        reading a secret that a reference names
    secret_store.py   keeping a secret that a person pasted
"""

from connector_core.config.configuration import Configuration, ConnectionConfig

__all__ = ["Configuration", "ConnectionConfig"]
