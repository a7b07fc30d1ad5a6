"""Questions with answers to choose from: one form, read by the pages, the notebooks and lint.

    :::{quiz} What does the attention mask say of a token?
    - [ ] How much it matters.
      No: the mask has only 1 and 0.
    - [x] Whether the model is to look at it.
      Yes.
    :::
"""

import re
from typing import NamedTuple

ANSWER = re.compile(r"- \[([ x])\] (.+)")


class Answer(NamedTuple):
    """An answer to choose, and what to say to who chose it."""

    text: str
    right: bool
    feedback: str


def read_answers(body: str) -> list[Answer]:
    """Read the answers of a question; what is indented below one is its feedback.

    A ValueError says so if a line is neither, if fewer than two answers are there or not one of
    them is right, or if an answer has no feedback.
    """
    answers: list[Answer] = []
    for line in filter(str.strip, body.split("\n")):
        if found := ANSWER.fullmatch(line):
            answers.append(Answer(found[2], found[1] == "x", ""))
        elif line.startswith("  ") and answers:
            last = answers[-1]
            feedback = f"{last.feedback} {line.strip()}".strip()
            answers[-1] = last._replace(feedback=feedback)
        else:
            raise ValueError(f"{line!r} is neither '- [ ] an answer' nor indented below one")
    if len(answers) < 2 or sum(answer.right for answer in answers) != 1:
        raise ValueError("a question has two answers or more, and one with [x] is right")
    if silent := [answer.text for answer in answers if not answer.feedback]:
        raise ValueError(f"the answer {silent[0]!r} has no feedback: indent it below")
    return answers
