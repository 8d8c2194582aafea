"""Many connections: when each is to be run again.

::

    schedule.py  a rhythm that failures, overlaps and clock changes do not break
"""
