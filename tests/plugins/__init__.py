"""Plugins of strangers, and how they get installed: a minimal one, and hostile ones.

Nothing is built: a folder on Python's path that holds modules and a ``.dist-info`` is an installed distribution.
"""

from __future__ import annotations

from pathlib import Path
from shutil import copy

HERE = Path(__file__).parent
MINIMAL = HERE.parents[1] / "examples" / "minimal" / "connector_core_minimal.py"
HOSTILE = HERE / "hostile"


def install(site: Path, distribution: str, name: str, module: Path, version: str = "1.2") -> None:
    """Install a distribution that offers ``module`` as the plugin ``name``."""
    copy(module, site / module.name)
    info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[connector_core]\n{name} = {module.stem}\n")
