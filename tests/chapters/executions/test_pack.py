"""Executions carried from one machine to another."""

import gzip
import io
import json
import shutil
import tarfile
from hashlib import sha256

import pytest
from small_book import SmallBook

from tools.desk import BuildError
from tools.executions.pack import read_pack
from tools.executions.store import NOTEBOOK, RECORD


@pytest.fixture(scope="session")
def packed(tmp_path_factory, server):
    """A book executed on a GPU (a make-believe one), and its pack."""
    folder = tmp_path_factory.mktemp("packed")
    book = SmallBook.make(folder / "book", server)
    run = book.build("--device", "cuda", SMALL_BOOK_DEVICE="cuda")
    assert run.status == 0, run.output
    run = book.cache("pack", str(folder / "pack"), "--device", "cuda")
    assert run.status == 0, run.output
    return book, folder / "pack"


@pytest.fixture
def pack(packed, tmp_path):
    """A copy of the pack, to be damaged."""
    return shutil.copy(packed[1], tmp_path / "pack")


def cache_files(book):
    """Return every file below the cache."""
    return {path for path in (book.folder / ".jupyter_cache").rglob("*") if path.is_file()}


def repack(pack, change):
    """Rewrite a pack with its members (name to content) changed."""
    with tarfile.open(pack) as archive:
        members = {m.name: archive.extractfile(m).read() for m in archive}
    change(members)
    with tarfile.open(pack, "w:gz") as archive:
        for name, content in members.items():
            member = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            member.size = 0 if member is content else len(content)
            archive.addfile(member, None if member is content else io.BytesIO(content))


def test_site_is_built_with_neither_device_nor_model(packed, pack, book):
    source, _ = packed
    shutil.rmtree(book.folder / "models")
    run = book.cache("unpack", str(pack), SMALL_BOOK_DEVICE="forbidden")
    assert run.status == 0, run.output
    for _ in range(2):
        run = book.build("--device", "cuda", SMALL_BOOK_DEVICE="forbidden")
        assert (run.status, run.executed) == (0, set()), run.output
        assert book.built() == source.built()
    assert "some/first cuda" in book.page("chapters/two")
    assert "A GPU made for tests" in book.page("executions")


def test_the_processor_is_named_that_a_chapter_was_executed_on(built_book, undisturbed):
    """Also by pages that were built from an execution on another one."""
    file = built_book.folder / "pack"
    assert built_book.cache("pack", str(file)).status == 0
    forge_record(file, instructions="x86_64, OTHER")
    assert built_book.cache("unpack", str(file)).status == 0
    for _ in range(2):
        run = built_book.build()
        assert (run.status, run.executed) == (0, set()), run.output
        assert built_book.page("executions").count("x86_64, OTHER") == 1
        assert built_book.built() == undisturbed.built()


def test_packing_again_gives_the_same_bytes(packed, tmp_path):
    book, file = packed
    assert book.cache("pack", str(tmp_path / "again"), "--device", "cuda").status == 0
    assert (tmp_path / "again").read_bytes() == file.read_bytes()


def test_a_pack_is_complete_or_not_made(packed, tmp_path, built_book):
    built_book.edit("chapters/one.md", "print(CONSTANT", "print(7, CONSTANT")
    run = built_book.cache("pack", str(tmp_path / "pack"))
    assert run.status == 1
    assert "no execution of chapters/one: run nox -s book first" in run.output
    assert not (tmp_path / "pack").exists()


DIFFERENCES = {
    "package": ("src/layerwise/helper.py", "CONSTANT = 1", "CONSTANT = 2", "helper.py differs"),
    "data": ("data/datasets/poems.txt", "Success", "Failure", "poems.txt differs"),
    "libraries": ("requirements.txt", "fakelib==1.0", "fakelib==1.1", "1.0, "),
    "encoder": ("models/some/first/model.safetensors", "first", "last", "safetensors differs"),
}


@pytest.mark.parametrize("part", DIFFERENCES)
def test_another_fingerprint_is_refused_by_name(book, pack, part):
    file, old, new, difference = DIFFERENCES[part]
    book.edit(file, old, new)
    run = book.cache("unpack", str(pack))
    assert run.status == 1
    assert f"{part}: " in run.output
    assert difference in run.output
    assert cache_files(book) == set()


def truncate(pack):
    pack.write_bytes(pack.read_bytes()[:-200])


def flip(pack):
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 1
    pack.write_bytes(content)


def empty(pack):
    pack.write_bytes(b"")


def not_an_archive(pack):
    pack.write_text("hello")


def not_a_tar_archive(pack):
    pack.write_bytes(gzip.compress(b"hello" * 1000))


def member_missing(pack):
    repack(pack, lambda members: members.pop(next(n for n in members if "base" in n)))


def member_changed(pack):
    def change(members):
        name = next(name for name in members if b"first cuda" in members[name])
        members[name] = members[name].replace(b"first cuda", b"first nowt")

    repack(pack, change)


def manifest_missing(pack):
    repack(pack, lambda members: members.pop("manifest.json"))


def manifest_is_a_list(pack):
    repack(pack, lambda members: members.update({"manifest.json": b"[]"}))


def manifest_is_partial(pack):
    repack(pack, lambda members: members.update({"manifest.json": b"{}"}))


def nothing_in_it(pack):
    repack(pack, lambda members: (members.clear(), members.update({"manifest.json": b"{}"})))


def forge(pack, file, changed):
    """Change a file of an execution, and its digest with it."""

    def change(members):
        name = next(name for name in members if file in name)
        members[name] = changed(members[name])
        manifest = json.loads(members["manifest.json"])
        manifest[name] = sha256(members[name]).hexdigest()
        members["manifest.json"] = json.dumps(manifest).encode()

    repack(pack, change)


def forge_record(pack, **values):
    forge(pack, RECORD, lambda told: json.dumps(json.loads(told) | values).encode())


def notebook_forged(pack):
    """So that it is not what its record says any more."""
    forge(pack, NOTEBOOK, lambda content: content.replace(b"import", b"export"))


def record_forged(pack):
    """So that no page could show it."""
    forge_record(pack, seconds=float("nan"))


DAMAGES = [
    truncate, flip, empty, not_an_archive, not_a_tar_archive, member_missing, member_changed,
    manifest_missing, manifest_is_a_list, manifest_is_partial, nothing_in_it, notebook_forged,
    record_forged,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_pack_is_refused(book, pack, damage):
    damage(pack)
    for _ in range(2):
        run = book.cache("unpack", str(pack))
        assert run.status == 1
        assert run.output.startswith(f"error: {pack} is ")
        assert cache_files(book) == set()


def link(name, kind):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    return member


KEY = "chapters--one/" + 16 * "0"
INTRUDERS = {
    "parent": ("../outside", b"x"),
    "deep parent": (f"{KEY}/../../../outside", b"x"),
    "absolute": ("/tmp/outside-of-the-cache", b"x"),
    "other name": (f"{KEY}/run.py", b"x"),
    "symbolic link": (f"{KEY}/base.ipynb", link(f"{KEY}/base.ipynb", tarfile.SYMTYPE)),
    "hard link": (f"{KEY}/base.ipynb", link(f"{KEY}/base.ipynb", tarfile.LNKTYPE)),
    "device": (f"{KEY}/base.ipynb", link(f"{KEY}/base.ipynb", tarfile.CHRTYPE)),
    "folder": (KEY, link(KEY, tarfile.DIRTYPE)),
}


@pytest.mark.parametrize("intruder", INTRUDERS)
def test_a_pack_that_leads_outside_is_refused(book, pack, intruder, tmp_path):
    name, content = INTRUDERS[intruder]
    repack(pack, lambda members: members.update({name: content}))
    before = set(tmp_path.rglob("*"))
    run = book.cache("unpack", str(pack))
    assert run.status == 1
    assert f"is refused: '{name}' in it is " in run.output
    assert cache_files(book) == set()
    new = {path.name for path in set(tmp_path.rglob("*")) - before}
    assert "outside" not in new


def test_a_pack_that_is_not_there(book):
    run = book.cache("unpack", "nowhere.tgz")
    assert run.status == 1
    assert "error: nowhere.tgz does not exist" in run.output


def test_damage_on_disk_is_repaired(built_book, undisturbed):
    """Not by a kill, but a full disk or a person: the chapter is executed again."""
    record, *_ = built_book.folder.glob(".jupyter_cache/*/*/base.ipynb")
    record.write_text(record.read_text()[:-100])
    run = built_book.build()
    assert run.status == 0, run.output
    assert len(run.executed) == 1
    assert built_book.built() == undisturbed.built()


def damaged_header(**values):
    """Make a pack whose only member says something about itself that no pack says."""
    member = tarfile.TarInfo(f"{KEY}/base.ipynb")
    for name, value in values.items():
        setattr(member, name, value)
    return gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + 10_240 * b"\0")


def many_members():
    members = [tarfile.TarInfo(f"chapters--{n}/{16 * '0'}/base.ipynb") for n in range(3_000)]
    return gzip.compress(b"".join(m.tobuf() for m in members) + 10_240 * b"\0")


def sparse(version):
    """Make a member that says it is 8 EB large, most of it holes, in the PAX way."""
    headers = {"GNU.sparse.size": str(2**62), "GNU.sparse.realsize": str(2**62)}
    headers |= {"GNU.sparse.map": "0,0"} if version == "0.1" else {}
    if version == "1.0":
        headers |= {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
    member = tarfile.TarInfo(f"{KEY}/base.ipynb")
    member.pax_headers = headers
    return gzip.compress(member.tobuf(tarfile.PAX_FORMAT) + 512 * b"0" + 10_240 * b"\0")


def chained(kind):
    """Thousands of headers, each of which says that the next tells more of one file."""
    header = tarfile.TarInfo("long")
    header.type = kind
    chain = 5_000 * header.tobuf(tarfile.GNU_FORMAT)
    return gzip.compress(chain + tarfile.TarInfo(f"{KEY}/base.ipynb").tobuf() + 10_240 * b"\0")


MADE_UP = {
    "sparse, old": lambda: damaged_header(type=tarfile.GNUTYPE_SPARSE),
    "sparse 0.1": lambda: sparse("0.1"),
    "sparse 1.0": lambda: sparse("1.0"),
    "larger than all disks": lambda: damaged_header(size=2**60),
    "a negative size": lambda: damaged_header(size=-1),
    "many members": many_members,
    "a link to a link": lambda: damaged_header(type=tarfile.LNKTYPE, linkname="chapters--two"),
    "headers before headers": lambda: chained(tarfile.GNUTYPE_LONGNAME),
    "headers of links before headers": lambda: chained(tarfile.GNUTYPE_LONGLINK),
    "headers of another kind before headers": lambda: chained(tarfile.XHDTYPE),
    "bytes without end": lambda: gzip.compress(bytes(600_000_000), 1),
}


@pytest.mark.parametrize("kind", MADE_UP)
def test_a_pack_made_to_do_harm_is_refused(tmp_path, kind):
    """In a few seconds, with bounded memory."""
    file = tmp_path / "pack"
    file.write_bytes(MADE_UP[kind]())
    with pytest.raises(BuildError, match=r"^.*pack is (refused|damaged|not a pack)"):
        read_pack(file)


def test_damaged_and_harmful_packs_leave_a_built_book_as_it_is(built_book, pack, tmp_path):
    cached, site = cache_files(built_book), built_book.built()
    packs = []
    for kind, make in MADE_UP.items():
        packs.append(tmp_path / kind.replace(" ", "-"))
        packs[-1].write_bytes(make())
    for kind, (name, content) in INTRUDERS.items():
        packs.append(tmp_path / kind.replace(" ", "-"))
        packs[-1].write_bytes(pack.read_bytes())
        repack(packs[-1], lambda members, new=(name, content): members.update([new]))
    for damage in DAMAGES:
        packs.append(shutil.copy(pack, tmp_path / damage.__name__))
        damage(packs[-1])
    for harmful in packs:
        run = built_book.cache("unpack", str(harmful))
        assert (run.status, run.output.count("\n")) == (1, 1), run.output
        assert run.output.startswith("error: ")
        assert (cache_files(built_book), built_book.built()) == (cached, site), harmful.name
    assert built_book.build().executed == set()
