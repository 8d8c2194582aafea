"""No tests: random schedules of faults, the oracle that judges what comes of them, and a program that runs thousands.

``python -m chaos`` (with ``tests`` on the path; ``tox run -e chaos``) is described in `chaos.__main__`.
"""
