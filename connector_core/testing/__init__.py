"""For plugin authors: a clock that does not wait, and a SCIM server to talk to, over real sockets."""

from connector_core.http.loopback import LoopbackServer
from connector_core.testing.clock import FakeClock
from connector_core.testing.scim_app import ScimApp
from connector_core.testing.switches import Switches
from connector_core.testing.workspace import LoginTaken, Shuffled, User, Workspace, Write

__all__ = ["FakeClock", "LoginTaken", "LoopbackServer", "ScimApp", "Shuffled", "Switches", "User", "Workspace", "Write"]
