"""The path for one session: marked in the chapters, counted, and exactly as long as it says."""

import re

import pytest
from docutils import nodes

from _ext.minutes import Reading, count
from _ext.session_plan import rows_of, skipped, whole_minutes

CODE = "a = 1\nb = 2\nprint(a + b)"


def paragraph(n_words: int) -> nodes.paragraph:
    return nodes.paragraph("", " ".join(["word"] * n_words))


def cell(*tags: str, output: nodes.Node | None = None) -> nodes.container:
    code = nodes.container("", nodes.literal_block(CODE, CODE), classes=["cell_input"])
    shown = nodes.container("", output or paragraph(50), classes=["cell_output"])
    return nodes.container("", code, shown, classes=["cell", *(f"tag_{tag}" for tag in tags)])


def section(title: str, *children: nodes.Node) -> nodes.section:
    name = nodes.make_id(title)
    return nodes.section("", nodes.title("", title), *children, ids=[name])


def exercise(title: str) -> nodes.Element:
    return nodes.admonition(
        "", nodes.title("", f"Exercise{title}"), paragraph(100), classes=["exercise"], ids=["e"]
    )


def chapter() -> nodes.Element:
    return nodes.container("", section(
        "Chapter",
        section("Read me ●", paragraph(400), cell(), exercise("★★ Do this ●"),
                exercise("★ Not this"), section("Not me", paragraph(1000)),
                section("And me ●", paragraph(200))),
        section("Skip me", paragraph(1000)),
        section("Almost", section("Only this ●", cell("hide-input"))),
    ))  # fmt: skip


@pytest.mark.parametrize(("element", "reading"), [
    (paragraph(7), Reading(words=7)),
    (cell(), Reading(code_lines=3, outputs=1)),
    (cell("hide-input"), Reading(outputs=1)),
    (cell(output=nodes.literal_block(CODE, CODE, language="python")), Reading(0, 6, 1)),
    (cell("hide-input", output=nodes.table()), Reading(figures=1)),
    (cell("hide-input", output=nodes.raw("", "<figure><svg></svg></figure>", format="html")),
     Reading(figures=1)),
    (nodes.admonition("", paragraph(9), classes=["dropdown"]), Reading()),
    (section("Title", paragraph(7), section("Inner", paragraph(5))), Reading(words=12)),
])  # fmt: skip
def test_what_is_seen_is_counted_and_what_is_folded_is_not(element, reading):
    assert count(element) == reading


def test_prose_that_a_cell_computes_is_prose():
    remarks = nodes.container("", paragraph(50), classes=["cell_output"])
    assert count(nodes.container("", remarks, classes=["cell", "tag_remove-input"])).words == 50


def test_minutes_of_prose_and_of_code():
    reading = Reading(words=400, code_lines=30, outputs=9, figures=2)
    assert reading.prose_minutes == pytest.approx(2)
    assert reading.code_minutes == pytest.approx((30 * 7 + 9 * 10 + 2 * 30) / 60)


def test_the_path_is_what_is_marked():
    rows = list(rows_of(chapter()))
    titles = ["Read me", "Exercise ★★ Do this", "Almost: Only this"]
    assert [row.title for row in rows] == titles
    assert [row.cells for row in rows] == [1, 1, 1]
    assert rows[0].minutes == pytest.approx(600 / 200 + (3 * 7 + 10) / 60)
    assert rows[1].minutes == 7
    assert [row.target for row in rows] == ["read-me", "e", "only-this"]


def test_what_is_not_marked_is_listed_as_skipped():
    assert skipped(chapter()) == ["Not me", "Skip me"]


def test_minutes_are_whole_and_nothing_takes_less_than_one():
    assert [whole_minutes(number) for number in (0.1, 0.8, 1.49, 2.6)] == [1, 1, 1, 3]


def test_the_page_adds_up_to_its_session_and_leads_to_every_part(site_folder):
    page = (site_folder / "one_session.html").read_text("utf-8")
    table = re.search("<table.*?</table>", page, re.DOTALL).group()
    minutes = [re.sub("<.*?>", "", row.split("<td")[-1].partition(">")[2]).strip()
               for row in table.split("<tr")[2:]]  # fmt: skip
    *parts, together = map(int, minutes)
    assert sum(parts) == together == 90
    assert 1 <= parts[-1] <= 30  # left for questions
    links = re.findall('href="(chapters/[^"]*)"', table)
    assert len(links) == len(parts) - 1
    for link in links:
        path, _, target = link.partition("#")
        chapter_page = (site_folder / path).read_text("utf-8")
        assert not target or f'id="{target}"' in chapter_page


def test_chapters_say_which_sections_are_on_the_path(site_folder):
    for name in ("tokens", "transformer"):
        page = (site_folder / "chapters" / f"{name}.html").read_text("utf-8")
        assert page.count('class="on-path"') > 5
        assert not re.search(r"<a [^>]*>[^<]*●", page)  # a link repeats the words, not the mark
        assert "../one_session.html" in page
