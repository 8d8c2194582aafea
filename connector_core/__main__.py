"""``python -m connector_core`` is ``connector-core``."""

from connector_core.cli import main

if __name__ == "__main__":
    main()
