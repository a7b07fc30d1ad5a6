"""What is said of answers: true of those that nobody foresaw, and never a traceback."""

import math
import random
from collections import Counter
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from layerwise.exercises import (
    context,
    counting,
    marking,
    own_texts,
    task,
    tokens,
    transformer,
    wires,
    writing,
)
from layerwise.exercises import vectors as of_words
from layerwise.exercises.marking import Exercise, check, compare, judge, mistake
from layerwise.fine_tuning import lora_classifier
from layerwise.similarity import nearest
from layerwise.texts.own import load_texts
from layerwise.texts.poems import load_poems

MODULES = [
    counting, of_words, tokens, transformer, context, task, writing, wires, own_texts,
]  # fmt: skip


@pytest.fixture(autouse=True)
def no_hint_was_given():
    marking.given.clear()
    marking.started.clear()


def test_hints_come_one_by_one_and_the_last_stays(capsys):
    exercises = {"ex-two": Exercise(lambda x: compare(x, 2.0, {}), ["a", "b"])}
    for answer in (0.0, 0.0, 5.0, 5.0, 4.0):
        check(exercises, "ex-two", answer)
    said = capsys.readouterr().out
    assert said.count("✗ not yet: this number is too low\nchange it and check again") == 2
    assert said.count("✗ not yet: this number is too high\nhint") == 3
    assert said.count("hint 1 of 2: a; check again for the next") == 1
    assert said.count("hint 2 of 2: b\n") == 2


def test_a_function_that_is_defined_again_is_still_the_start(capsys):
    exercises = {"ex-one": Exercise(lambda f: compare(f(1), 2.0, {}), ["a"])}
    for _ in range(2):
        check(exercises, "ex-one", lambda x: x)
    assert "hint 1" not in capsys.readouterr().out
    check(exercises, "ex-one", lambda x: x + 7)
    check(exercises, "ex-one", lambda x: x + 8)
    assert "hint 1" in capsys.readouterr().out


def test_a_named_mistake_costs_no_hint_and_a_right_answer_says_no_more(capsys):
    exercises = {"ex-two": Exercise(lambda x: compare(x, 2.0, {"this is one": 1.0}), ["a"])}
    check(exercises, "ex-two", 1.0)
    check(exercises, "ex-two", 2.0)
    assert capsys.readouterr().out == "✗ this is one\n✓ right\n"
    assert marking.given == {}


def test_an_exercise_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(KeyError, match="no exercise is called 'ex-tow': there are ex-two"):
        judge({"ex-two": Exercise(mistake, [])}, "ex-tow", 1)


@pytest.mark.parametrize(("answer", "says"), [
    (1.9, "this number is too low"),
    (2.1, "this number is too high"),
    (None, "None cannot be compared: does a function lack its return?"),
    (math.nan, "there is a nan in one of them"),
    ("2", "str and"),
    ([2.0, 2.0], "cannot be compared"),
])  # fmt: skip
def test_what_is_said_of_a_number_is_true_and_does_not_give_it_away(answer, says):
    verdict = compare(answer, 2.0, {})
    assert says in verdict.says
    assert "2.0" not in verdict.says.replace(repr(answer), "")


def test_of_many_numbers_it_is_said_how_many_are_right():
    verdict = compare(torch.tensor([[1.0, -2.0], [3.0, 5.0]]), [[1.0, -2.0], [3.0, 4.0]], {})
    assert verdict == marking.not_yet("3 of its 4 numbers are right")


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_whatever_an_answer_is_it_ends_in_a_sentence(module):
    for label, exercise in module.EXERCISES.items():
        verdict = module.judge(label, *[object()] * exercise.judge.__code__.co_argcount)
        assert not verdict.right
        assert verdict.says
        assert "\n" not in verdict.says


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_exercise_has_hints_in_the_order_of_a_sentence(module):
    for exercise in module.EXERCISES.values():
        assert 2 <= len(exercise.hints) <= 3
        assert all(not hint.endswith(".") for hint in exercise.hints)


# Plausible answers that no mistake was written for, and what has to be said of them.
def raises(lists):
    raise IndexError("list index out of range")


def test_answers_that_were_not_foreseen_get_what_is_true(encoder):
    tokenizer = encoder.tokenizer
    said = [
        (tokens.judge("ex-pad", raises), "it raised IndexError: list index out of range"),
        (tokens.judge("ex-pad", lambda lists: None), "your function returns nothing"),
        (tokens.judge("ex-pad", lambda lists: ([[0] * 6] * 3, [[1] * 6] * 3)), "do not stand"),
        (tokens.judge("ex-spell", "sesquipedalian", ["a", "bird"], tokenizer), "none of the"),
        (tokens.judge("ex-spell", ["bird"], ["a", "bird"], tokenizer), "this is a list"),
        (tokens.judge("ex-spell", None, ["a", "bird"], tokenizer), "this is a NoneType"),
        (tokens.judge("ex-pad", 3), "this is an int: hand over the function"),
        (tokens.judge("ex-pad", ([[1]], [[1]])), "this is a tuple: hand over the function"),
        (tokens.judge("ex-waste", "27%", [[1, 1, 0]]), "'27%' is text"),
        (tokens.judge("ex-continue", "5,828", {"a": 0}), "'5,828' is text"),
        (tokens.judge("ex-ratio", 1.5, ["a b", "c d"], tokenizer), "this is one number, and 2"),
        (context.judge("ex-order", ["a b c"], [1], ["a\nb c"], np.ones((1, 1, 2)), None),
         "what is between them"),
        (tokens.judge("ex-own", "To be or not to be", "0.8", "a line", tokenizer), "too low"),
        (transformer.judge("ex-window", lambda n: torch.zeros(n, n)), "20 of its 36"),
        (transformer.judge("ex-softmax", lambda s: (2 * s).softmax(-1)), "0 of its 12"),
        (transformer.judge("ex-norm", lambda x: x[:, :2]), "shapes (3, 2) and (3, 4)"),
        (transformer.judge("ex-fourth", torch.ones(3), torch.eye(3, 2)), "has shape (3,)"),
        (context.judge("ex-mean", lambda vectors, mask: vectors.max(axis=1)), "of its 6"),
        (context.judge("ex-still", 3, ["quiet", "?", "yet"], np.ones((2, 3, 4))), "no sense"),
        (context.judge("ex-order", ["a b c"], [1], ["c a d"], np.ones((1, 1, 2)), None),
         "has not the words of"),
    ]  # fmt: skip
    for verdict, words in said:
        assert not verdict.right
        assert not verdict.named
        assert words in verdict.says


def test_a_function_without_its_return_is_told_so_by_every_judge():
    lines = [["a", "b"], ["c"], ["a", "d"], ["e"], ["f"], ["g"]]
    for verdict in [
        counting.judge("ex-backwards", lambda tokens: tokens.reverse()),
        counting.judge("ex-leaky-split", lambda fold: fold.sort(), lines),
        counting.judge("ex-loop", lambda token: None, lambda token: token),
        writing.judge("ex-warm", lambda shares, temperature: None),
        context.judge("ex-mean", lambda vectors, mask: None),
    ]:
        assert verdict == marking.not_yet(
            "your function returns nothing: does it lack its return?"
        )
    sentence = counting.judge("ex-backwards", lambda tokens: tokens.reverse()[0]).says
    assert "not subscriptable" in sentence  # what it raises itself is another thing


def test_what_there_is_one_of_is_in_the_singular(encoder):
    after = {"a": "bc" * 5, "b": "b" * 4 + "a" * 7, "c": "b" * 12}
    counted = {(token,): Counter(said) for token, said in after.items()}
    assert counting.judge("ex-doubt", "b", counted).says.startswith("after 1 token there")
    words = ["a", "sesquipedalian", "thing"]
    spelt = tokens.judge("ex-spell", "thing", words, encoder.tokenizer)
    assert spelt.says == "1 word has more pieces than 'thing'"


def test_two_lines_that_differ_only_in_what_is_unknown_are_right(encoder):
    assert tokens.judge("ex-loss", "hope ☃", "Hope  ❄", encoder.tokenizer).right


def test_each_mistake_is_named_only_where_it_was_made(encoder):
    tokenizer = encoder.tokenizer

    def padded(fill, on):
        return lambda lists: (
            [ids + [fill] * (6 - len(ids)) for ids in lists],
            [[1] * len(ids) + [on] * (6 - len(ids)) for ids in lists],
        )

    assert tokens.judge("ex-pad", padded(0, 0)).right
    assert "not filled with 0: 102" in tokens.judge("ex-pad", padded(102, 0)).says
    assert "mask says 1" in tokens.judge("ex-pad", padded(102, 1)).says
    same = tokens.judge("ex-loss", "a rose grew", "grew a rose", tokenizer).says
    assert "same letters in another order" in same
    assert "other letters" in tokens.judge("ex-loss", "a rose", "a nose", tokenizer).says
    one = "吾輩は猫である。"
    n_pieces = len(tokenizer.tokenize(one))
    assert tokens.judge("ex-own", one, n_pieces, "a line", tokenizer).right
    toy = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 2.0]])
    assert "1.9 times" in transformer.judge("ex-fourth", torch.tensor([0.0, 3.97]), toy).says
    layers = (np.ones((1, 1, 2)), np.ones((1, 1, 2)))
    joined = context.judge("ex-order", ["cab"], [1], ["a b c"], *layers)
    assert "join the words with a space" in joined.says
    mixed = context.judge("ex-order", ["tac a b"], [1], ["cat ba"], *layers)
    assert "letters are mixed" in mixed.says
    small = {"the", "of"}
    assert not own_texts.judge("ex-function-words", small, ["the", "of", "and", "war"]).named
    constant = np.array([[1.0, -2.0], [3.0, -2.0]])
    assert context.judge("ex-centre", constant - constant.mean(axis=0), constant).right


def test_pieces_that_end_early_and_pieces_too_long(encoder):
    text = "a bird came down the walk " * 40
    cut = encoder.tokenizer(
        [text], truncation=True, max_length=64, stride=16, return_overflowing_tokens=True
    )["input_ids"]
    assert tokens.judge("ex-stride", cut, text, encoder.tokenizer).right
    without_third = [*cut[:2], *cut[3:]]
    verdict = tokens.judge("ex-stride", without_third, text, encoder.tokenizer)
    assert "in none of" in verdict.says
    ids = encoder.tokenizer(text)["input_ids"]
    by_hand = [ids[i : i + 64] for i in range(0, len(ids), 48)]
    assert tokens.judge("ex-stride", by_hand, text, encoder.tokenizer).right
    assert "does not end" in tokens.judge("ex-stride", cut[:-1], text, encoder.tokenizer).says
    whole = [encoder.tokenizer(text)["input_ids"]]
    assert "the longest piece has 242" in tokens.judge(
        "ex-stride", whole, text, encoder.tokenizer
    ).says  # fmt: skip


def test_a_label_that_is_neither_end_is_told_that_there_is_more():
    table = pd.DataFrame({"label": ["a", "b", "c"], "agreement": [0.1, 0.5, 0.3],
                          "chance": [0.3, 0.2, 0.1], "n_texts": [3, 3, 3]})  # fmt: skip
    assert own_texts.judge("ex-which-label", "b", table).right
    assert own_texts.judge("ex-which-label", "c", table).says == (
        "there is a label with more than 30%"
    )
    assert "lowest" in own_texts.judge("ex-which-label", "a", table).says
    assert "row's number" in own_texts.judge("ex-which-label", 1, table).says
    assert "row's number" in own_texts.judge("ex-which-label", np.int64(1), table).says
    assert "this is a list" in own_texts.judge("ex-which-label", ["b"], table).says
    even = table.assign(chance=0.2)
    assert "more than 30%" in own_texts.judge("ex-which-label", "c", even).says
    likely = table.assign(chance=[0.1, 0.1, 0.2])
    assert "best chance" in own_texts.judge("ex-which-label", "c", likely).says


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    """Three layers of eight texts in four dimensions."""
    return np.random.default_rng(3).normal(size=(3, 8, 4))


def test_shares_by_layer(vectors):
    themes = np.array(list("aabbabab"))
    layers = {"mean": vectors, "max": vectors[::-1]}
    shares = {
        pooling: [(themes[nearest(v)[:, 0]] == themes).mean() for v in layers[pooling]]
        for pooling in layers
    }
    assert context.judge("ex-layer", shares, layers, themes).right
    alone = context.judge("ex-layer", shares | {"mean": [1.0] * 3}, layers, themes)
    assert alone.named
    assert alone.says.startswith("mean: every text has found itself")
    short = {pooling: shares[pooling][1:] for pooling in shares}
    assert "static layer is missing" in context.judge("ex-layer", short, layers, themes).says
    assert "nothing yet for max" in context.judge("ex-layer", {"mean": []}, layers, themes).says


def test_senses_are_the_learners_own_and_the_count_is_of_them(vectors):
    senses = ["quiet", "yet", "yet", "quiet", "yet", "quiet", "quiet", "yet"]
    nearest_last, nearest_first = (nearest(vectors[i])[:, 0] for i in (-1, 0))
    last, first = (
        sum(senses[i] == senses[j] for i, j in enumerate(order))
        for order in (nearest_last, nearest_first)
    )
    assert last != first
    assert context.judge("ex-still", last, senses, vectors).right
    for answer, words in [(8, "itself"), (first, "static"), (last / 8, "share")]:
        verdict = context.judge("ex-still", answer, senses, vectors)
        assert verdict.named
        assert words in verdict.says
    assert context.judge("ex-still", 8, ["yet"] * 8, vectors).named


def test_a_matrix_is_right_if_nothing_is_left_that_it_could_explain():
    rng = np.random.default_rng(5)
    runs = [(None, rng.normal(size=(2, 6, 3))) for _ in range(10)]
    static, later = (np.concatenate([v[i] for _, v in runs[::2]]) for i in (0, -1))
    fitted = np.linalg.lstsq(static, later)[0]
    assert context.judge("ex-matrix", fitted, runs).right
    back = context.judge("ex-matrix", np.linalg.lstsq(later, static)[0], runs)
    assert back.says.startswith("this goes back")
    whole = [np.concatenate([v[i] for _, v in runs]) for i in (0, -1)]
    assert "fitted on all" in context.judge("ex-matrix", np.linalg.lstsq(*whole)[0], runs).says
    assert "rotation" in context.judge("ex-matrix", np.eye(3), runs).says
    assert "leaves something over" in context.judge("ex-matrix", fitted + 0.1, runs).says


def test_years_apart_and_passages():
    years, first = np.array([1800.0, 1810.0, 1850.0, 1900.0]), np.array([1, 2, 1, 0])
    assert own_texts.judge("ex-time", 47.5, years, first).right
    signed = own_texts.judge("ex-time", (years[first] - years).mean(), years, first)
    assert "without its sign" in signed.says
    assert not own_texts.judge("ex-time", 0.0, None, first).right
    table = pd.DataFrame({"row": [2, 3, 5]})
    cut = pd.DataFrame({"row": [2, 2, 3, 5, 5, 5], "passage": [1, 2, 1, 1, 2, 3]})
    assert own_texts.judge("ex-passages", [2, 1, 3], table, cut).right
    assert "last passages" in own_texts.judge("ex-passages", [1, 0, 2], table, cut).says
    assert "2 of its 3" in own_texts.judge("ex-passages", [2, 1, 2], table, cut).says


def test_what_is_added_has_to_cost_less_than_a_quarter_and_four_times_as_much():
    best = 0.03

    def cost_of(k):
        return min(abs(math.log(k / best)), 9.0)

    assert counting.judge("ex-add-k", best, cost_of).right
    assert counting.judge("ex-add-k", 1.5 * best, cost_of).right
    for k, says in [(1e20, "too large"), (1e-3, "too small"), (1, "add one")]:
        verdict = counting.judge("ex-add-k", k, cost_of)
        assert not verdict.right
        assert says in verdict.says


def test_a_circle_is_judged_by_its_order_and_by_where_it_begins():
    after = {"hope": "is", "is": "the", "the": "\n", "\n": "and", "and": "the", "a": "a"}

    def circle(token):
        return ["a"] if token == "a" else ["\n", "and", "the"] if token == "\n" else [
            "the", "\n", "and"
        ]  # fmt: skip

    def verdict(some):
        return counting.judge("ex-loop", some, after.__getitem__)

    assert verdict(circle).right
    assert "no order" in verdict(lambda token: set(circle(token))).says
    assert "begun later" in verdict(lambda token: [*circle(token)[1:], circle(token)[0]]).says
    assert "way in" in verdict(lambda token: ["hope", "is", "the", "\n", "and"]).says
    assert "twice" in verdict(lambda token: [*circle(token), circle(token)[0]]).says
    assert not verdict(lambda token: ["the", "and", "\n"]).named


def test_a_spoiled_copy_has_to_have_a_row_more():
    """Rows that were left out count, too: they stand in the report alone."""

    def loaded(n_rows, **found):
        report = pd.DataFrame({"found": list(found), "n_rows": list(found.values())})
        return SimpleNamespace(table=pd.DataFrame(index=range(n_rows)), report=report)

    first = loaded(3, empty=2)
    assert own_texts.judge("ex-messy", loaded(3, empty=2, numbers=1), first).right
    assert "in another way" in own_texts.judge("ex-messy", loaded(3, empty=3), first).says
    assert "no row more" in own_texts.judge("ex-messy", loaded(3, empty=2), first).says
    assert "says nothing of it" in own_texts.judge("ex-messy", loaded(4, empty=2), first).says


def test_the_nearest_row_is_judged_row_by_row():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(90, 5)) * rng.uniform(1, 9, (90, 1))
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def ranked(by, row):
        return np.argsort(-(by @ by[row]))

    def verdict(function):
        return of_words.judge("ex-nearest", function, rows)

    assert verdict(lambda _, row: int(ranked(unit, row)[1])).right
    assert "itself" in verdict(lambda _, row: int(ranked(unit, row)[0])).says
    assert "farthest" in verdict(lambda _, row: int(ranked(unit, row)[-1])).says
    by_product = verdict(lambda _, row: next(int(i) for i in ranked(rows, row) if i != row))
    assert "long ones win" in by_product.says
    next_row = verdict(lambda _, row: (row + 1) % 90)
    assert not next_row.named
    assert "another one is nearer" in next_row.says
    assert "returns nothing" in verdict(lambda _, row: None).says
    assert "number of a row" in verdict(lambda _, row: 1.5).says


def test_a_random_key_has_as_many_capitals_elsewhere():
    key = np.array([True] * 6 + [False] * 10)

    def verdict(deal):
        return of_words.judge("ex-key", deal, key)

    assert verdict(lambda capital, rng: rng.permutation(capital)).right
    for deal, says in [
        (lambda capital, rng: capital, "the true key"),
        (lambda capital, rng: ~capital, "turned round"),
        (lambda capital, rng: rng.random(16) < 0.4, "number of capitals"),
        (lambda capital, rng: np.roll(capital, 3), "the same key each time"),
        (lambda capital, rng: rng.permutation(capital)[1:], "shape is (15,)"),
    ]:
        assert not verdict(deal).right
        assert says in verdict(deal).says


def test_pmi_and_ranks_and_sums_of_two():
    counts = np.array([[0, 3.0, 5], [3, 2, 1], [5, 1, 0]])
    place = {"gold": 0, "silver": 1}
    right = np.log2(3 * 20 / (8 * 6))
    assert of_words.judge("ex-pmi", right, counts, place).right
    assert "log₂" in of_words.judge("ex-pmi", right * np.log(2), counts, place).says
    start = of_words.judge("ex-pmi", 3.0, counts, place)
    assert not start.named
    assert "too high" in start.says
    rarer, first, second = [1, 2, 3, 40], [0.9, 0.5, 0.6, 0.1], [0.4, 0.3, 0.2, 0.1]
    assert of_words.judge("ex-rare", [-0.8, -1.0], rarer, first, second).right
    assert "two are wanted" in of_words.judge("ex-rare", -0.8, rarer, first, second).says
    unit = np.array([[1, 0, 0.2], [0, 1, 0.1], [0.3, 0.2, 1], [0.5, 0.6, 0.7], [-1, 0.4, 0]])
    questions = np.array([[0, 1, 2, 3], [1, 2, 0, 3]])

    def answer(function):
        return of_words.judge("ex-analogy", function, unit, questions)

    def best(unit, a, b, c, by_a=0):
        cosines = unit @ (unit[b] + unit[c] + by_a * unit[a])
        cosines[[a, b, c]] = -1
        return int(cosines.argmax())

    assert answer(best).right
    assert "exclude all three" in answer(lambda unit, a, b, c: int(b)).says
    assert "number of a row" in answer(lambda unit, a, b, c: "queen").says


def test_answers_on_a_task_are_right_or_named(encoder):
    classifier = lora_classifier(encoder, 2, rank=3)
    n_layers, n_dims = len(encoder.model.encoder.layer), encoder.model.config.hidden_size
    thin = n_layers * 2 * 2 * 3 * n_dims
    shuffled = np.random.default_rng(0).normal(size=(200, 5))
    margins = np.array([[2.0, -1.0, 3.0, 0.5, -2.0], [1.0, -3.0, 4.0, 0.5, 1.0]])
    groups = pd.Series(list("aabbccd"))
    needs = {"right": [], "named": []}
    needs["right"] = [
        task.judge("ex-how-many", thin + 2 * n_dims + 2, classifier),
        task.judge("ex-best", np.quantile(shuffled.max(axis=1), 0.95), shuffled),
        task.judge("ex-own-lines", 0.5, margins),
        task.judge("ex-whose", ["a", "c"], groups, [0, 2, 3, 4]),
    ]
    needs["named"] = [
        task.judge("ex-how-many", thin, classifier),
        task.judge("ex-how-many", thin + 2 * n_dims, classifier),
        task.judge("ex-best", np.quantile(shuffled, 0.95, axis=0).max(), shuffled),
        task.judge("ex-own-lines", 0.4, margins),  # 4 of 10 called right alone
        task.judge("ex-whose", {0, 2}, groups, [0, 2, 3, 4]),
        task.judge("ex-whose", {"a", "b", "c"}, groups, [0, 2, 3, 4]),
        task.judge("ex-orders", lambda value, n: [value({i}) for i in range(n)]),
        task.judge("ex-calibration", lambda sure, right: np.abs(sure - right).mean()),
        task.judge("ex-calibration", lambda sure, right: abs(sure.mean() - right.mean())),
    ]
    assert not task.judge("ex-how-many", thin + 2 * n_dims + 3, classifier).right
    assert "one bin" in needs["named"][-1].says
    assert all(verdict.right for verdict in needs["right"])
    assert not any(verdict.right for verdict in needs["named"])
    assert all(verdict.named for verdict in needs["named"])
    found = task.judge("ex-whose", {"a", "d"}, groups, [0, 2, 3, 4])
    assert found.says == "1 that leak are missing, 1 that do not are named"


def test_a_temperature_is_one_over_a_power():
    assert writing.judge("ex-warm", lambda s, t: s ** (1 / t) / (s ** (1 / t)).sum()).right
    for wrong, says in [
        (lambda s, t: s ** (1 / t), "sum to one"),
        (lambda s, t: s / s.sum(), "changes nothing"),
        (lambda s, t: s**t / (s**t).sum(), "upside down"),
    ]:  # fmt: skip
        verdict = writing.judge("ex-warm", wrong)
        assert not verdict.right
        assert verdict.named
        assert says in verdict.says


def test_how_many_together_reach_a_probability():
    right = lambda s, p: int((np.sort(s)[::-1].cumsum() < p).sum() + 1)  # noqa: E731
    assert writing.judge("ex-nucleus", right).right
    assert "one more" in writing.judge("ex-nucleus", lambda s, p: right(s, p) - 1).says
    unsorted = writing.judge("ex-nucleus", lambda s, p: int((s.cumsum() < p).sum() + 1))
    assert "sort them" in unsorted.says


def test_positions_are_right_if_all_distances_are():
    places = [0, 1, 2, 5]
    for right in ([3, 4, 5, 8], [-1, 0, 1, 4]):
        assert writing.judge("ex-moved", right, places).right
    for wrong, says in [(places, "as they were"), ([5, 4, 3, 0], "backwards"),
                        ([0, 1, 2, 3], "stretch"), ([0, 1, 2, 6], "further apart"),
                        ([1, 2, 3], "each of the 4")]:  # fmt: skip
        verdict = writing.judge("ex-moved", wrong, places)
        assert not verdict.right
        assert says in verdict.says


def test_tokens_recited_end_at_the_first_wrong_one():
    first = lambda ranks: next((i for i, r in enumerate(ranks) if r), len(ranks))  # noqa: E731
    assert writing.judge("ex-begun", first).right
    assert "anywhere" in writing.judge("ex-begun", lambda ranks: list(ranks).count(0)).says
    assert "wrong token too" in writing.judge("ex-begun", lambda ranks: first(ranks) + 1).says


def test_what_a_title_saves_has_another_title_as_its_control():
    without, own, another = np.array([3.0, 2.0]), np.array([2.0, 1.5]), np.array([2.5, 1.9])
    judged = lambda answer: writing.judge("ex-own-title", answer, without, own, another)  # noqa: E731
    assert judged(0.45).right
    assert "beside no heading" in judged(0.75).says
    assert "other way round" in judged(-0.45).says
    assert "take the mean" in judged(0.9).says


def test_the_effect_of_a_word_is_that_of_one_place():
    table = torch.randn(6, 5, generator=torch.manual_seed(0))

    def run(lines):
        of = sorted(set("the bird and wind came down".split()))
        return None, torch.stack([
            sum((i + 1) * table[of.index(word)] for i, word in enumerate(line.split()))
            for line in lines
        ])  # fmt: skip

    def answer(without, change=lambda cosines: 1 - cosines):
        def effect(line):
            words, (_, whole) = line.split(), run([line])
            shorter = [" ".join(without(words, i)) for i in range(len(words))]
            return None, change(torch.cosine_similarity(whole, run(shorter)[1]))

        return transformer.judge("ex-leave-out", effect, run)

    assert answer(lambda words, i: words[:i] + words[i + 1 :]).right
    everywhere = answer(lambda words, i: [word for word in words if word != words[i]])
    assert "the one place" in everywhere.says
    itself = answer(lambda words, i: words[:i] + words[i + 1 :], lambda cosines: cosines)
    assert "cosine itself" in itself.says


def test_a_character_that_is_not_seen_was_read_too():
    bits, text = np.array([3.0, 4.0, 1.0]), "A bird\ncame"
    assert writing.judge("ex-own-text-by-heart", 8 / 11, bits, text).right
    said = writing.judge("ex-own-text-by-heart", 8 / 9, bits, text).says
    assert "spaces and line ends" in said


def test_a_neighbour_of_the_same_text_counted_as_wrong_is_named():
    """Passages 0 and 1 are one text's; only 3 has a fair neighbour first, of another label."""
    order = np.array([[1, 2, 3], [0, 3, 2], [0, 1, 3], [0, 1, 2]])
    source, kinds = np.array([0, 0, 1, 2]), np.array(["a", "a", "b", "a"])
    # first neighbours of another text: 2 (b), 3 (a), 0 (a), 0 (a): right for 1 and 3
    assert own_texts.judge("ex-leak", 0.5, order, source, kinds).right
    said = own_texts.judge("ex-leak", 0.25, order, source, kinds)  # 3 alone
    assert "counts a neighbour of the same text as wrong" in said.says
    assert not own_texts.judge("ex-leak", 1.0, order, source, kinds).named


def test_the_token_after_which_there_is_most_doubt():
    counts = {
        ("even",): Counter({"x": 6, "y": 6}),
        ("often",): Counter({"x": 60, "y": 2, "z": 1, "w": 1}),
        ("seldom",): Counter({"x": 1, "y": 1, "z": 1}),
    }
    assert counting.judge("ex-doubt", "even", counts).right
    assert "most frequent token: after 1" in counting.judge("ex-doubt", "often", counts).says
    assert "fewer than 10 times" in counting.judge("ex-doubt", "seldom", counts).says


def test_a_tokenizer_trained_on_each_word_once_is_told_from_one_of_the_texts(encoder):
    texts = load_poems()["text"].tolist()
    train = encoder.tokenizer.train_new_from_iterator
    once = sorted({word for text in texts for word in text.lower().split()})
    of_texts, of_words = (train(x, 2000, show_progress=False) for x in (texts, once))
    assert tokens.judge("ex-train", of_texts, texts, encoder.tokenizer).right
    said = tokens.judge("ex-train", of_words, texts, encoder.tokenizer).says
    assert "every word stands once" in said


def test_cut_the_wire_names_what_went_wrong(decoder):
    candidates = ["king queen", "duke duchess", "waiter waitress"]
    for chosen, says in [
        (["king queen"], "right"),
        (["king queen", "waiter waitress"], "both of a pair are equally long"),
        (["king queen", "duke duchess"], "1 of these are not one token each, and 0"),
        (["dog dogs"], "'dog dogs' is not among the pairs"),
        ("king queen", "this is one text"),
    ]:
        assert wires.judge("ex-pairs", chosen, candidates, decoder.tokenizer).says.startswith(
            says
        )
    assert wires.judge("ex-predicts", lambda ids, answer: ids.index(answer) - 1).right
    assert "text ends" in wires.judge("ex-predicts", lambda ids, answer: len(ids) - 1).says
    assert wires.judge("ex-share", lambda p, clean, corrupt: (p - corrupt) / (clean - corrupt)
                       ).right  # fmt: skip
    assert "average last" in wires.judge(
        "ex-share", lambda p, clean, corrupt: ((p - corrupt) / (clean - corrupt)).mean()
    ).says
    assert wires.judge("ex-induction", lambda w, n: w.diagonal(1 - n)[1:].mean()).right


@pytest.mark.parametrize(("drawn", "says"), [
    (lambda found, n, seed: [(3, 1 + seed % 2 * 2), (3, 4 + seed % 2 * 2), (7, 6)], "right"),
    (lambda found, n, seed: [(3, 1 + seed % 6), (3, 4), (7, 6)], "this may draw what was"),
    (lambda found, n, seed: [(3, 1), (3, 1), (7, 6)], "this may draw a head twice"),
    (lambda found, n, seed: [(3, 1), (7, 3), (7, 6)], "these are in other layers"),
    (lambda found, n, seed: [(3, 0), (3, 1), (7, 6)], "heads are counted from 1 to 6"),
    (lambda found, n, seed: [(3, 1), (3, 3), (7, 6)], "this draws the same each time"),
])  # fmt: skip
def test_a_draw_of_heads(drawn, says):
    assert wires.judge("ex-draw", drawn).says.startswith(says)


@pytest.mark.parametrize(("label_words", "says"), [
    (lambda words, seed: [random.Random(f"{seed} {w}").random() < 0.5 for w in words], "right"),
    (lambda words, seed: [(i + seed) % 2 for i in range(len(words))], "a word has another"),
    (lambda words, seed: [seed % 2] * len(words), "these labels are the same for every"),
    (lambda words, seed: [len(word) > 2 for word in words], "these labels are the same for"),
    (lambda words, seed: [len(word) == seed for word in words], "this coin is not fair"),
    (lambda words, seed: [True], "14 words need as many labels, and these are 1"),
])  # fmt: skip
def test_a_coin_for_each_word(label_words, says):
    assert wires.judge("ex-coin", label_words).says.startswith(says)


@pytest.mark.parametrize(("shape", "answer", "says"), [
    ("The {} there", [1.0, 0.5], "right"),
    ("The {} there", [0.5, 1.0], "these two are the wrong way round"),
    ("The {} there", [0.5, 0.5], "this is what is lost"),
    ("The dog there", [1.0, 0.5], "a shape is a text with one {}"),
    ("The {} here", [1.0, 0.5], "the heads were found on this shape"),
    ("{} {}", [1.0, 0.5], "a shape is a text with one {}"),
    ("Few {}", [0.6, 0.5], "nothing cut, 60% are right"),
])  # fmt: skip
def test_a_shape_of_ones_own(shape, answer, says):
    def measure(shape):
        return [0.6, 0.5] if shape == "Few {}" else [1.0, 0.5]

    verdict = wires.judge("ex-own-shape", shape, "The {} here", answer, measure)
    assert verdict.says.startswith(says)


def test_texts_of_ones_own_are_others_than_the_books(tmp_path):
    books = load_texts(Path(str(files("layerwise.datasets") / "presidents.csv")))
    assert "the book's own" in own_texts.judge("ex-own-texts", books).says
    lines = [f"the rain of day {i} has not stopped, my dear, since you left" for i in range(20)]
    pd.DataFrame({"letter": lines}).to_csv(tmp_path / "letters.csv", index=False)
    mine = load_texts(tmp_path / "letters.csv", text="letter")
    assert own_texts.judge("ex-own-texts", mine).right
    few = own_texts.judge("ex-own-texts", mine._replace(table=mine.table.head(19)))
    assert "19 texts are too few" in few.says
