"""Copy the package as it is when a build begins, and for each chapter the part that it uses.

Chapters run on these copies: what is edited while they run cannot get into executions of the
fingerprint that was computed before; and what a chapter's fingerprint does not hold is not
there for it to import or to read.
"""

import shutil
import tomllib
from pathlib import Path
from typing import NamedTuple

from tools.desk import BuildError, read_source, sha256_of_file
from tools.executions.imports import DATA, modules_used


class Snapshot(NamedTuple):
    """A copy of the packages that chapters import, and what it was copied from.

    Attributes
    ----------
    folder : Path
        The copy, laid out for import.
    sources : dict of str to str
        Each file, relative to the book, and where it is in the copy.
    digests : dict of str to str
        Each file, relative to the book, and its SHA-256.
    """

    folder: Path
    sources: dict[str, str]
    digests: dict[str, str]

    @property
    def modules(self) -> dict[str, str]:
        """The file of each module, by its name."""
        found = {}
        for source, place in self.sources.items():
            if place.endswith(".py"):
                parts = place.removesuffix(".py").removesuffix("/__init__").split("/")
                found[".".join(parts)] = source
        return found

    def data_sets(self) -> dict[str, str]:
        """Return the file of each data set, by its name."""
        inside = DATA.replace(".", "/") + "/"
        files = {s: p for s, p in self.sources.items() if p.startswith(inside)}
        return {Path(p).stem: s for s, p in files.items() if not p.endswith(".py")}

    def beside(self, used: set[str]) -> set[str]:
        """Return the files, other than modules, in the packages of the modules used."""
        packages = {str(Path(self.sources[source]).parent) for source in used}
        return {
            source
            for source, place in self.sources.items()
            if not place.endswith(".py") and str(Path(place).parent) in packages
        }

    def files_for(self, code: list[str], data: tuple[str, ...] | None) -> dict[str, str]:
        """Return the files that code uses, and their digests.

        Parameters
        ----------
        code : list of str
            Cells.
        data : tuple of str, or None
            The data sets it names; None for all.
        """
        modules = self.modules
        files = {m: self.folder / self.sources[source] for m, source in modules.items()}
        texts = {name: read_source(file) for name, file in files.items()}
        try:
            used = {modules[name] for name in modules_used(code, texts)}
            used |= {modules[name] for name in modules if name.startswith(DATA)}
            used |= self.beside(used)
        except SyntaxError as error:
            raise BuildError(f"the package cannot be read: {error}") from error
        sets = self.data_sets()
        if missing := [name for name in data or () if name not in sets]:
            raise BuildError(
                f"the header of a chapter names the data set {missing[0]!r}: there is none "
                f"among {', '.join(sorted(sets))}"
            )
        left_out = set(self.sources) - used - set(sets.values())
        left_out |= {sets[name] for name in sets if data is not None and name not in data}
        return {name: d for name, d in self.digests.items() if name not in left_out}

    def copy_for(self, files: dict[str, str], folder: Path) -> None:
        """Copy files into a folder, which is emptied first, laid out for import."""
        shutil.rmtree(folder, ignore_errors=True)
        for name in files:
            target = folder / self.sources[name]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.folder / self.sources[name], target)


def package_folders(root: Path) -> dict[str, Path]:
    """Return the packages that pyproject.toml installs, and the folder of each."""
    try:
        settings = tomllib.loads(read_source(root / "pyproject.toml"))
        folders = settings["tool"]["setuptools"]["package-dir"]
    except KeyError:
        raise BuildError(
            f"{root / 'pyproject.toml'} has no [tool.setuptools.package-dir]: list there the "
            "packages that chapters import"
        ) from None
    except ValueError as error:
        raise BuildError(f"{root / 'pyproject.toml'} cannot be read: {error}") from error
    return {package: root / folder for package, folder in folders.items()}


def take_snapshot(root: Path, folder: Path) -> Snapshot:
    """Copy the packages of the book into a folder, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    sources, digests = {}, {}
    for package, source_folder in package_folders(root).items():
        for source in sorted(source_folder.rglob("*")):
            if not source.is_file() or "__pycache__" in source.parts:
                continue
            if source.suffix == ".py":
                read_source(source)  # what is wrong is told of the file, not of its copy
            place = Path(*package.split("."), source.relative_to(source_folder))
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / place)
            name = source.relative_to(root).as_posix()
            sources[name] = place.as_posix()
            digests[name] = sha256_of_file(folder / place)
    return Snapshot(folder, sources, digests)
