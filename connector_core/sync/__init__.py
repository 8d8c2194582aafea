"""The sync engine: one pass over everything, durable page by page.

::

    engine.py    the phases of a sync, from the first cursor to publication
    reading.py   from the frontier to the store, until nothing is open
    readers.py   a few threads that ask the connector for pages
    pacing.py    how many pages to ask for at once
    guard.py     when a picture would lose too much at once
    lock.py      one sync or apply at a time
"""

from connector_core.sync.engine import SyncEngine
from connector_core.sync.lock import exclusive
from connector_core.sync.reading import Means, Progress, SyncPolicy

__all__ = ["Means", "Progress", "SyncEngine", "SyncPolicy", "exclusive"]
