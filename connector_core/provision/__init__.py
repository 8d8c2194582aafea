"""The provisioning engine: access decisions carried out, once, verifiably, and never by accident.

::

    wishes.py    what is wished for an account, and whether it is so already
    guards.py    what is refused before any write
    engine.py    read, guard, write ahead, write once, verify, settle
    requests.py  what a person asks for, as wishes: finding the account, coming back, steps
    holder.py    whether who began an operation still lives
"""

from connector_core.provision.engine import ProvisionPolicy

__all__ = ["ProvisionPolicy"]
