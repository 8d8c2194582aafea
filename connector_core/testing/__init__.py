"""For plugin authors: a clock that does not wait, and a SCIM server to talk to, over real sockets.

::

    clock.py           a clock that moves when a test moves it
    people.py          invented people, the same for the same seed
    workspace.py       the people that a stand-in server serves
    scim_app.py        a SCIM server over a workspace, as a WSGI application
    scim_query.py      its listings, filters and pages
    scim_document.py   users as JSON documents, and errors
    scim_patch.py      PATCH in all the shapes that clients send
    scim_discovery.py  what the server says of itself
    switches.py        what the server decides where SCIM leaves a choice

The folder `faults` has what real servers do wrong.
"""

from connector_core.http.loopback import LoopbackServer
from connector_core.testing.clock import FakeClock
from connector_core.testing.scim_app import ScimApp
from connector_core.testing.switches import Switches
from connector_core.testing.workspace import LoginTaken, Shuffled, User, Workspace, Write

__all__ = ["FakeClock", "LoginTaken", "LoopbackServer", "ScimApp", "Shuffled", "Switches", "User", "Workspace", "Write"]
