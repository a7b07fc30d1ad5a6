"""The questions at the end of a chapter: every answer says something, and needs no script."""

import re

import pytest

from tools.desk import ROOT

CHAPTERS = ["tokens", "transformer", "context", "own_texts"]


def page_of(name: str) -> str:
    path = ROOT / "_build" / "html" / "chapters" / f"{name}.html"
    if not path.is_file():
        pytest.skip("the book was not built: run python3 -m nox -s book first")
    return path.read_text("utf-8")


@pytest.mark.parametrize("name", CHAPTERS)
def test_each_question_has_one_right_answer_and_each_answer_its_feedback(name):
    page = page_of(name)
    quizzes = re.split(r'<div class="quiz\b', page)[1:]
    assert len(quizzes) == 4
    for quiz in quizzes:
        answers = re.findall(r"<details class=\"([^\"]*)\".*?</details>", quiz, re.DOTALL)
        assert len(answers) >= 2
        assert sum("quiz-right" in classes for classes in answers) == 1
        for box in re.findall(r"</summary>(.*?)</details>", quiz, re.DOTALL):
            assert len(re.sub("<[^>]+>", "", box).split()) >= 4


def test_an_answer_is_opened_by_keyboard_and_says_whether_it_was_right(chromium, site):
    with chromium.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{site}chapters/tokens.html")
        right = page.locator("details.quiz-right").first
        assert not right.locator("p").is_visible()
        right.locator("summary").focus()
        page.keyboard.press("Enter")
        assert right.locator("p").is_visible()
        mark = "e => getComputedStyle(e, '::after').content"
        assert "✓" in right.locator("summary").evaluate(mark)
