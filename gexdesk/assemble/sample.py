"""Make the sample desk's configuration: every feed of the sample morning as a replay."""

from pathlib import Path
from typing import Any

from gexdesk.sample.story import SOURCES
from gexdesk.settings.desk import Settings


def sample_settings(state: Path) -> Settings:
    """Return the sample desk: every feed of the sample morning as a replay."""
    folder = _sample_folder()
    sources = []
    for source in SOURCES:
        table: dict[str, Any] = {
            "kind": "replay",
            "name": source.name,
            "path": folder,
            "symbols": source.symbols,
            "format": source.format,
            "level": source.level,
            "delay_s": source.delay_s,
            "every_s": source.every_s,
            "data_type": "historical" if source.name == "backfill" else "real_time",
        }
        if source.assume_volume is not None and source.assume_open_interest is not None:
            table["assume"] = {"volume": source.assume_volume, "open_interest": source.assume_open_interest}
        sources.append(table)
    return Settings.model_validate({"state": state, "sources": sources, "mode": "sample"})


def _sample_folder() -> Path:
    """Return where the sample morning lies: in the installed package, or beside it in a checkout."""
    here = Path(__file__).resolve().parents[1]
    packaged = here / "sample" / "data"
    return packaged if packaged.is_dir() else here.parent / "sample_data"
