"""What docs/tour.md shows is so: its console blocks are run."""

from pathlib import Path

from kit.pages import play


def test_its_blocks_print_what_they_show(tmp_path: Path) -> None:
    """In order, in an empty home."""
    play("docs/tour.md", tmp_path)
