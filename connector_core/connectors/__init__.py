"""Plugins: found, loaded, verified, and opened.

::

    plugins.py    the installed plugins, loaded one by one
    connector.py  one connector: a typed method for each hook
    blame.py      where in a plugin an error arose
    plugin_output.py  what plugins print and log while a hook runs
    limits.py     what a page may hold: no NUL in an id, no endless text
    references.py  what a page may refer to: cursors as JSON, whole names, declared types
    session.py    a connector connected to its application
    vault.py      credentials that an application rotates
    sandbox.py    the connector's own stand-in server
"""
