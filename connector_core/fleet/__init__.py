"""Many connections: when each is run again, and the loop that runs them.

::

    schedule.py        times of runs, through failures, overlaps and clock changes
    scheduled_runs.py  the loop behind `run --every`
"""
