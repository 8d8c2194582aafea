"""Recording what SCIM servers answer, and playing it back without a network.

::

    scenes.py     what is done in front of the recorder, and again at replay
    tape.py       vcrpy, set up: what is kept, what is compared
    scrubber.py   invented people in the place of real ones
    __main__.py   `tox -e record`
"""
