"""A plugin that takes itself for the program."""

import sys

sys.exit("usage: exits_on_import FILE")
