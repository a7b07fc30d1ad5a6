"""The exercises of ``chapters/tokens.md``."""

import unicodedata
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from layerwise.display import count
from layerwise.exercises import marking
from layerwise.exercises.marking import (
    RIGHT,
    Exercise,
    Verdict,
    compare,
    kind_of,
    mistake,
    not_yet,
)

SMALL = [[101, 7, 8, 102], [101, 102], [101, 9, 10, 11, 12, 102]]  # lists of IDs, to try on
NO_SPACES = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")


def spell(most: str, words: Sequence[str], tokenizer) -> Verdict:
    """Judge a word: has any other more pieces?"""
    if isinstance(most, int | float):
        return mistake("this is no word: say which word has so many pieces, not how many")
    if not isinstance(most, str):
        return not_yet(f"this is {kind_of(most)}, and one word is wanted, as a str")
    if most not in words:
        return not_yet(f"{most!r} is none of the words of the texts")
    n_pieces = len(tokenizer.tokenize(most))
    n_more = sum(len(tokenizer.tokenize(word)) > n_pieces for word in words)
    if n_more == 0:
        return RIGHT
    if len(most) == max(map(len, words)):
        return mistake("this is the longest word: count its pieces, not its letters")
    have = "has" if n_more == 1 else "have"
    return not_yet(f"{count(n_more, 'word')} {have} more pieces than {most!r}")


def continuing(n_continuing: int, vocabulary: dict[str, int]) -> Verdict:
    """Judge a count of the pieces that only continue a word."""
    marked = sum(piece[:2] == "##" for piece in vocabulary)
    return compare(float(n_continuing), float(marked), {
        "this counts the sign # as well, which is a piece of its own: two of them are the mark":
            float(sum(piece[:1] == "#" for piece in vocabulary)),
        "these are the pieces without ##: the question is about the others":
            float(len(vocabulary) - marked),
        "this is a share: the question is how many": marked / len(vocabulary),
    })  # fmt: skip


def train(own_tokenizer, texts: Sequence[str], tokenizer) -> Verdict:
    """Judge a tokenizer by its vocabulary: its size, and what it was made from."""
    own = set(own_tokenizer.get_vocab())
    if len(own) > 2000:
        if own == set(tokenizer.get_vocab()):
            return not_yet("this is still the model's own tokenizer")
        return mistake("this one has more entries: two thousand are allowed, at most")
    if not any(len(piece.removeprefix("##")) > 1 and piece[0] != "[" for piece in own):
        return mistake("this was trained on single letters: a text alone is read letter by "
                       "letter, so hand over the list of texts")  # fmt: skip
    once = sorted({word for text in texts for word in text.lower().split()})
    overlaps = []
    for corpus in (texts, once):
        made = tokenizer.train_new_from_iterator(corpus, len(own), show_progress=False)
        overlaps.append(len(own & set(made.get_vocab())) / len(own))
    if overlaps[0] > 0.97:
        return RIGHT
    if overlaps[1] > overlaps[0]:
        return mistake("this was trained on a list in which every word stands once, so it "
                       "cannot know which are frequent: take the texts")  # fmt: skip
    return not_yet(f"{overlaps[0]:.0%} of its entries are those that the texts give")


def loss(one: str, other: str, tokenizer) -> Verdict:
    """Judge two lines: different to the eye, the same to the model."""
    if one == other:
        return mistake("these are one and the same line: change something in the second")
    if tokenizer(one)["input_ids"] == tokenizer(other)["input_ids"]:
        return RIGHT
    if sorted(letters(one)) == sorted(letters(other)) and letters(one) != letters(other):
        return mistake("these have the same letters in another order, which the model does "
                       "see: change something that is no letter")  # fmt: skip
    if letters(one) != letters(other):
        return mistake("these have other letters, and letters are what the model does see: "
                       "change something that is no letter")  # fmt: skip
    return not_yet("these lines get different IDs")


def letters(text: str) -> str:
    """Return the letters of a text, without case and accents."""
    plain = unicodedata.normalize("NFD", text.lower())
    return "".join(sign for sign in plain if sign.isalpha())


def ratio(ratios, texts: Sequence[str], tokenizer) -> Verdict:
    """Judge a number for each text: its tokens for each of its words."""
    all_ids = tokenizer(list(texts), verbose=False)["input_ids"]
    n_tokens = np.array([len(ids) for ids in all_ids])
    n_words = np.array([len(text.split()) for text in texts])
    return compare(np.asarray(ratios, dtype=float), n_tokens / n_words, {
        "this divides by characters: split the text into words first":
            n_tokens / np.array([len(text) for text in texts]),
        "this leaves [CLS] and [SEP] out, which the model reads like any token: "
        "count input IDs": (n_tokens - 2) / n_words,
        "this is words for a token: turn the division round": n_words / n_tokens,
    })  # fmt: skip


def pad(pad_by_hand: Callable) -> Verdict:
    """Judge a function that fills up lists, on three of different lengths."""
    made = pad_by_hand([list(ids) for ids in SMALL])
    if not isinstance(made, tuple) or len(made) != 2:
        return not_yet("it has to return two things, the rectangle and its mask")
    rectangle, mask = ([list(row) for row in lists] for lists in made)
    longest = max(map(len, SMALL))
    widths = {len(row) for row in rectangle}
    if widths != {longest}:
        return not_yet(f"its rows have {' and '.join(map(str, sorted(widths)))} columns, "
                       f"where the longest list has {longest}")  # fmt: skip
    if all(row[: len(ids)] != ids and row[-len(ids) :] == ids
           for row, ids in zip(rectangle, SMALL, strict=True) if len(ids) < longest):
        return mistake("this fills up on the left: here the padding comes after the text")
    if any(row[: len(ids)] != ids for row, ids in zip(rectangle, SMALL, strict=True)):
        return not_yet("the lists do not stand at the beginnings of its rows any more")
    kept = [[1] * len(ids) + [0] * (longest - len(ids)) for ids in SMALL]
    verdict = compare(mask, kept, {
        "this mask says 1 for the padding too: the model would read it as text":
            [[1] * longest for _ in SMALL],
        "this mask is turned round: 1 is for what the model is to look at":
            [[1 - x for x in row] for row in kept],
    })  # fmt: skip
    if not verdict.right:
        return verdict._replace(says=f"the mask: {verdict.says}")
    added = {x for row, ids in zip(rectangle, SMALL, strict=True) for x in row[len(ids) :]}
    if added != {0}:
        told = ", ".join(map(str, sorted(added - {0})))
        return mistake(f"the mask is right, but the rows are not filled with 0: {told} stands "
                       "there")  # fmt: skip
    return RIGHT


def waste(share: float, mask) -> Verdict:
    """Judge the share of a batch that is padding."""
    zeros = 1 - np.asarray(mask, dtype=float)
    return compare(float(share), zeros.mean(), {
        "this is the share that is text: ask for the rest": 1 - zeros.mean(),
        "this is how many: divide by all the places of the rectangle": zeros.sum(),
        "this is padding for each token of text: divide by all places, not by those":
            zeros.sum() / (1 - zeros).sum(),
    })  # fmt: skip


def types(types_by_hand: Callable, tokenizer) -> Verdict:
    """Judge a function that writes the token types of a pair."""
    first, second = "a bird came down", "he did not know"
    one, two = (tokenizer(text)["input_ids"] for text in (first, second))
    theirs = list(tokenizer(first, second)["token_type_ids"])
    n_first, n_second = theirs.count(0), theirs.count(1)
    return compare(list(types_by_hand(one, two)), theirs, {
        "this is one too long: of the second list, [CLS] is left out": [*theirs, 1],
        "the [SEP] between the two belongs to the first":
            [0] * (n_first - 1) + [1] * (n_second + 1),
    })  # fmt: skip


def stride(pieces: Sequence[Sequence[int]], text: str, tokenizer) -> Verdict:
    """Judge pieces of a text: at most 64 tokens, sharing 16, to the end."""
    whole = tokenizer(text, verbose=False)["input_ids"][1:-1]
    special = {tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id}
    inner = [[token for token in ids if token not in special] for ids in pieces]
    most = max(map(len, pieces))
    if most > 64:
        return not_yet(f"the longest piece has {most} tokens, [CLS] and [SEP] among them")
    if inner[-1] != whole[-len(inner[-1]) :]:
        return not_yet("the last piece does not end where the text ends")
    shared = [n for n in range(62) if joined(inner, n) == whole]
    if 16 in shared:
        return RIGHT
    if shared == [0]:
        return mistake("these pieces share nothing: what is near a border has lost one side")
    if shared == [62 - 16]:
        return mistake("these share all but 16: stride is how many neighbours have in common, "
                       "not how far the next one moves on")  # fmt: skip
    if not shared:
        return not_yet("joined, they do not give the text: some of it is in none of them, or "
                       "not all neighbours share as many")  # fmt: skip
    return not_yet(f"neighbours share {shared[0]} tokens")


def joined(pieces: list[list[int]], n_shared: int) -> list[int]:
    """Join pieces, of each but the first without what it shares with the one before."""
    return pieces[0] + [token for piece in pieces[1:] for token in piece[n_shared:]]


def own(own_text: str, ratio: float, line: str, tokenizer) -> Verdict:
    """Judge a text of the learner's and its tokens a word."""
    if own_text == line:
        return not_yet("this is still the book's line")
    n_words = len(own_text.split())
    n_pieces = len(tokenizer.tokenize(own_text))
    has_no_spaces = any(unicodedata.name(x, "").startswith(NO_SPACES) for x in own_text)
    if (len(own_text) if has_no_spaces else n_words) < 5:
        length = count(n_words, "word")
        return mistake(f"a text of {length} says little: take a sentence at least")
    return compare(float(ratio), n_pieces / n_words, {
        "this counts [CLS] and [SEP], which are no words of yours": (n_pieces + 2) / n_words,
        "this is the ratio of the book's line: compute it again for your text":
            len(tokenizer.tokenize(line)) / len(line.split()),
    })  # fmt: skip


EXERCISES = {
    "ex-spell": Exercise(spell, [
        "`tokenizer.tokenize(w)` is a list: how long is it for each of `words`?",
        "`max` takes a function that says by what to compare: `key=`",
    ]),
    "ex-continue": Exercise(continuing, [
        "go through the vocabulary, and ask of each piece how it begins",
        "`piece.startswith(...)` is true or false, and `sum` counts what is true",
    ]),
    "ex-train": Exercise(train, [
        "the tokenizer has a method that trains another of its kind: the exercise names it",
        "its first argument is what to learn from, its second how many entries",
    ]),
    "ex-loss": Exercise(loss, [
        "look at *What is lost*: which of these changes left no trace?",
        "punctuation has tokens of its own; capitals and spaces do not",
    ]),
    "ex-ratio": Exercise(ratio, [
        "`n_tokens` has a number for each text: divide by another number for each text",
        "make a list, with the number of words of each text, in the same order",
    ]),
    "ex-pad": Exercise(pad, [
        "how many zeros does each list need to be as long as the longest?",
        "the mask is as long as the row: ones for the list, zeros for what was added",
        "begin with two empty lists, and append to both for each list of IDs",
    ]),
    "ex-waste": Exercise(waste, [
        "the mask has a 0 for every place that is padding",
        "the mean of true and false is the share that is true: `.float().mean()`",
    ]),
    "ex-types": Exercise(types, [
        "print both lists, and `pair['token_type_ids']` above: how many zeros are there?",
        "the first list comes whole; of the second something is not needed twice",
    ]),
    "ex-stride": Exercise(stride, [
        "without `return_overflowing_tokens` the tokenizer returns the first piece alone",
        "`stride` is one more entry of the dict",
    ]),
    "ex-own": Exercise(own, [
        "put a sentence of yours between quotation marks, in place of `line`",
        "the ratio is that of pieces and words: the line below computes it again",
    ]),
}  # fmt: skip
check = partial(marking.check, EXERCISES)
judge = partial(marking.judge, EXERCISES)
