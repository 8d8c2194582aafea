"""The site: the pages of this folder and the reference from the docstrings (``tox run -e docs``)."""

from importlib.metadata import version as installed

project = "connector-core"
copyright = "the authors of connector-core, MIT licence"
version = release = installed("connector-core")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["generate"]
myst_heading_anchors = 3
default_role = "code"  # docstrings write names in single backticks
autodoc_member_order = "bysource"
autodoc_typehints = "description"
html_theme = "furo"
html_title = "connector-core"
suppress_warnings = ["ref.python"]  # fields named like builtins, such as `type`, are ambiguous in signatures


def offer_files(app, docname, source):
    """Let links to files of the repository outside these pages, which work on a code host, offer the file."""
    source[0] = source[0].replace("](../", "](path:../")


def setup(app):
    app.connect("source-read", offer_files)
