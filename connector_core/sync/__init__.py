"""The sync engine: one pass over everything, durable page by page.

::

    engine.py    the phases of a sync, from the first cursor to publication
    reading.py   from the frontier to the store, until nothing is open
    readers.py   a few threads that ask the connector for pages
    pacing.py    how many pages to ask for at once
    guard.py     when a picture would lose too much at once
"""

from connector_core.sync.engine import SyncEngine
from connector_core.sync.reading import Progress, SyncContext, SyncPolicy

__all__ = ["Progress", "SyncContext", "SyncEngine", "SyncPolicy"]
