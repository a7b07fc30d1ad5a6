"""Read the poems with the book's decoder under every condition, once, for chapter and page.

    python -m tools.data.readings

Takes twenty minutes on one core. A test reads some of them again.
"""

import sys

from layerwise.checkpoints import DEFAULTS
from layerwise.decoders import load_decoder
from layerwise.second_lines import second_lines
from layerwise.surprisal import WITH_ALTERNATIVES, read_versions, versions
from layerwise.texts.poems import load_poems
from tools.desk import ROOT, run_command, say

DATA_SETS = ROOT / "data" / "datasets"


def main() -> int:
    """Write both tables; return the exit status."""
    return run_command(make)


def make() -> None:
    """Write what tokens cost, and what second lines, own and others', after a first one."""
    decoder, poems = load_decoder(DEFAULTS["decoder"], device="cpu"), load_poems()
    readings = read_versions(versions(poems, decoder), decoder)
    hidden = ~readings["condition"].isin(WITH_ALTERNATIVES)
    readings.loc[hidden, "alternatives"] = None
    readings["bits"] = readings["bits"].round(3).astype("float32")
    readings = readings.drop(columns="token")  # a tokenizer gives them
    whole = ["start", "rank", "number"]
    readings[whole] = readings[whole].astype("int32")
    path = DATA_SETS / "readings.parquet"
    readings.to_parquet(path, compression="zstd", compression_level=19, index=False)
    say(f"{path.name}: {len(readings)} tokens")
    path = DATA_SETS / "second_lines.csv"
    lines = second_lines(poems, decoder)
    lines.to_csv(path, index=False, float_format="%.4f", lineterminator="\n")
    say(f"{path.name}: {len(lines)} lines")


if __name__ == "__main__":
    sys.exit(main())
