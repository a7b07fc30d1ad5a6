"""Pack the built site into one .zip that can be carried: ``nox -s site_archive``."""

import argparse
import sys
import zipfile
from pathlib import Path

from tools.desk import ROOT, draft_of, run_command, say
from tools.site.serve import check_site

NOTE = """\
Layer by Layer: the book as a website
=====================================

Open index.html in a browser. Pages, search, figures, and what the explorers show of lines that
were computed beforehand need nothing else: no server, no network.

To run the model on lines of your own, start a web server in this folder; browsers run programs
of that kind only on pages from a server. Any will do; Python brings one:

    python3 -m http.server --bind 127.0.0.1

Then open http://127.0.0.1:8000/ in a browser. No other connection is needed.

notebooks/            the chapters as Jupyter notebooks, and the book's package, which
                      their first cell installs; what that needs in turn, PyTorch and other
                      libraries, comes from the network, unless it is there already
notebooks/executed/   the same, with the outputs they had when the site was built
"""
# One date for every file: the same site packs to the same bytes.
DATE = (2020, 1, 1, 0, 0, 0)


def archive_site(site: Path, archive: Path) -> None:
    """Pack a built site, with a note on how to open it."""
    check_site(site)
    files = {
        path.relative_to(site).as_posix(): path.read_bytes()
        for path in sorted(site.rglob("*"))
        if path.is_file()
    }
    files["HOW-TO-OPEN.txt"] = NOTE.encode()
    archive.parent.mkdir(parents=True, exist_ok=True)
    with draft_of(archive) as draft, zipfile.ZipFile(draft, "w") as packed:
        for name, content in files.items():
            packed.writestr(
                zipfile.ZipInfo(f"layer-by-layer/{name}", DATE), content, zipfile.ZIP_DEFLATED
            )


def main(arguments: list[str] | None = None) -> int:
    """Pack _build/html, and say where the archive is; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--site", type=Path, default=ROOT / "_build" / "html")
    parser.add_argument("--to", type=Path, default=ROOT / "_build" / "layer-by-layer.zip")
    options = parser.parse_args(arguments)

    def run() -> None:
        archive_site(options.site, options.to)
        say(f"{options.to}: {options.to.stat().st_size / 1e6:.1f} MB")

    return run_command(run)


if __name__ == "__main__":
    sys.exit(main())
