"""Read the poems with the book's decoder under every condition, once, for chapter and page.

    python -m tools.data.readings

Takes twenty minutes on one core. A test reads some of them again.
"""

import sys
from pathlib import Path

from layerwise.checkpoints import DEFAULTS
from layerwise.decoders import load_decoder
from layerwise.second_lines import second_lines
from layerwise.surprisal import read_versions, versions
from layerwise.texts.poems import load_poems
from tools.desk import ROOT, run_command, say
from tools.explorers.strips import CONDITIONS

TABLE = ROOT / "data" / "datasets" / "readings.parquet"


def main() -> int:
    """Write the table; return the exit status."""
    return run_command(lambda: make(TABLE))


def make(path: Path) -> int:
    """Write the table into a file."""
    decoder, poems = load_decoder(DEFAULTS["decoder"], device="cpu"), load_poems()
    readings = read_versions(versions(poems, decoder), decoder)
    hidden = ~readings["condition"].isin(CONDITIONS)  # the others are never shown
    readings.loc[hidden, "alternatives"] = None
    readings["bits"] = readings["bits"].round(3).astype("float32")
    readings = readings.drop(columns="token")  # a tokenizer gives them
    whole = ["start", "rank", "number"]
    readings[whole] = readings[whole].astype("int32")
    readings.to_parquet(path, compression="zstd", compression_level=19, index=False)
    say(f"{path.name}: {len(readings)} tokens, {path.stat().st_size / 1000:.0f} kB")
    make_second_lines(path.with_name("second_lines.csv"))
    return 0


def make_second_lines(path: Path) -> None:
    """Write what each poem's second line and others' cost after three first lines."""
    decoder, poems = load_decoder(DEFAULTS["decoder"], device="cpu"), load_poems()
    read = second_lines(poems, decoder)
    read.to_csv(path, index=False, float_format="%.4f", lineterminator="\n")
    say(f"{path.name}: {len(read)} lines, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    sys.exit(main())
