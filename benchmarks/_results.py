"""The file that all benchmarks write into, each its own section."""

import json
from pathlib import Path


def merge_into(path: Path, section: str, results: dict) -> None:
    """Write results into one section of a JSON file and leave its other sections alone."""
    everything = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    everything[section] = results
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(everything, indent=2) + "\n", "utf-8")
