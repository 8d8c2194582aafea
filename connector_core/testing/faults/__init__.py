"""What real servers do wrong, to lay over a SCIM application in tests: of this project, and of every plugin.

::

    exchange.py   a request and its answer, as a fault sees them
    catalogue.py  what a fault is, the catalogue of all, and the middleware
    wire.py       connections that break, stall or lie; bodies that are too much; redirects
    replies.py    statuses, errors and headers: 429, 503, credentials, empty and foreign bodies
    listing.py    pages, totals and cursors
    rows.py       how a user is spelled and shaped
    finding.py    filters, and users by id
    creating.py   conflicts, and half an answer
    patching.py   shapes of PATCH, and what comes of them
    removing.py   removal, and replies about users that do not exist

::

    over = [fault("p02_total_is_page_length"), fault("p61_429_with_a_date", kinds=["list"], skip=1)]
    with LoopbackServer(Faulty(ScimApp(workspace), over)) as server:
        ...
    assert all(each.fired for each in over)

Names that begin with a number such as ``p02`` are those of docs/scim-facts.md. A fault that never fired has tested
nothing: assert that it did. A fault that takes time (a byte a second, a minute of 503) takes it from the ``clock`` of
`Faulty`; give it the `FakeClock` of the host, and nothing waits. The silent ones (``p76_silent_...``) last until the
client goes, which is its own read timeout, in real seconds.

A fault of your own is a function, put into the catalogue by `listed`.
"""

from connector_core.testing.faults import creating, finding, listing, patching, removing, replies, rows, wire
from connector_core.testing.faults.catalogue import (
    ALL,
    CATALOGUE,
    QUERIES,
    READS,
    WRITES,
    Act,
    Description,
    Fault,
    Faulty,
    altered,
    fault,
    listed,
    remembering,
)
from connector_core.testing.faults.exchange import Answer, Exchange, Proceed, page, refused, reply

__all__ = [
    "ALL", "CATALOGUE", "QUERIES", "READS", "WRITES", "Act", "Answer", "Description", "Exchange", "Fault", "Faulty",
    "Proceed", "altered", "fault", "listed", "page", "refused", "remembering", "reply",
]  # fmt: skip

_ROOMS = (creating, finding, listing, patching, removing, replies, rows, wire)  # importing them fills the catalogue
