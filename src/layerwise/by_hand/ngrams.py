"""Language models of counts: from texts to probabilities, and from these to new text.

A text is a list of tokens, words or characters; the end of a line is the token ``"\\n"``. The
context of a token is the tuple of those before it. A model is a function of a token and its
context that returns a probability, and the probabilities of all tokens sum to one after every
context. Tokens outside the vocabulary are not told apart: one symbol stands for them all. What
comes before the first token counts as line ends.

Chapter: ``chapters/counting.md``, from "What comes next?" on.
Source: Chen & Goodman (1999), "An Empirical Study of Smoothing Techniques for Language
Modeling".
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

import numpy as np

Context = tuple[str, ...]
Counts = dict[Context, Counter[str]]  # after each context, how often each token came
Model = Callable[[str, Context], float]

LINE_END = "\n"
UNKNOWN = "<unk>"
WORD = re.compile(r"\w+(?:'\w+)*")


# ---------------------------------------------------------------- tokens


def split_words(text: str) -> list[str]:
    """Cut a text into its words, in lower case, with a line end after every line that has any.

    Punctuation, empty lines and indents are left out, and all apostrophes are straight.
    """
    tokens = []
    for line in text.lower().replace("’", "'").splitlines():
        words = WORD.findall(line)
        tokens += [*words, LINE_END] if words else []
    return tokens


def join_words(tokens: Iterable[str]) -> str:
    """Write words as text, with a space between those of a line."""
    return re.sub(r" ?\n ?", "\n", " ".join(tokens))


def find_vocabulary(texts: Iterable[Sequence[str]], least: int = 1) -> list[str]:
    """Return the tokens that come at least so often, sorted, and the one for all others."""
    counts = Counter(token for tokens in texts for token in tokens)
    return [UNKNOWN, *sorted(token for token, n in counts.items() if n >= least)]


def hide_unknown(tokens: Sequence[str], vocabulary: Iterable[str]) -> list[str]:
    """Put ``UNKNOWN`` in place of every token that is not in the vocabulary."""
    known = set(vocabulary)
    return [token if token in known else UNKNOWN for token in tokens]


# ---------------------------------------------------------------- counts


def contexts_of(tokens: Sequence[str], n: int) -> list[Context]:
    """Return for each token the n - 1 tokens before it."""
    padded = [LINE_END] * (n - 1) + list(tokens)
    return [tuple(padded[i : i + n - 1]) for i in range(len(tokens))]


def count_ngrams(texts: Iterable[Sequence[str]], n: int) -> Counts:
    """Count, for each context of n - 1 tokens, what comes after it and how often."""
    counts: Counts = {}
    for tokens in texts:
        for context, token in zip(contexts_of(tokens, n), tokens, strict=True):
            counts.setdefault(context, Counter())[token] += 1
    return counts


def count_kinds(counts: Counts) -> Counts:
    """Count contexts in place of occurrences: after how many longer contexts a token came."""
    kinds: Counts = {}
    for context, after in counts.items():
        for token in after:
            kinds.setdefault(context[1:], Counter())[token] += 1
    return kinds


# ---------------------------------------------------------------- models


def maximum_likelihood(counts: Counts) -> Model:
    """Make the model of counted shares: how often a context was followed by the token.

    After a context that was never seen, every token has probability 0.
    """

    def probability(token: str, context: Context) -> float:
        after = counts.get(context, Counter())
        return after[token] / after.total() if after else 0.0

    return probability


def add_k(counts: Counts, n_tokens: int, k: float = 1.0) -> Model:
    """Make the model that counts every token k times more than it was seen.

    Parameters
    ----------
    n_tokens : int
        How many there are in the vocabulary.
    """

    def probability(token: str, context: Context) -> float:
        after = counts.get(context, Counter())
        return (after[token] + k) / (after.total() + k * n_tokens)

    return probability


def interpolate(tables: Sequence[Counts], n_tokens: int, weights: Sequence[float]) -> Model:
    """Make the model that mixes the shares after contexts of all lengths.

    Each context gives its weight to its own shares, and leaves the rest to the context that is
    one token shorter; the shortest, of no token, leaves it to all tokens alike.

    Source: Jelinek & Mercer (1980), with one weight for all contexts of a length.

    Parameters
    ----------
    tables : list of Counts
        Item i counts after contexts of i tokens.
    n_tokens : int
        How many there are in the vocabulary.
    weights : list of float
        For each table, from 0 to 1.
    """

    def probability(token: str, context: Context) -> float:
        shorter = probability(token, context[1:]) if context else 1 / n_tokens
        after = tables[len(context)].get(context)
        if not after:
            return shorter
        weight = weights[len(context)]
        return weight * after[token] / after.total() + (1 - weight) * shorter

    return probability


def kneser_ney_tables(texts: Iterable[Sequence[str]], n: int) -> list[Counts]:
    """Count for Kneser-Ney: occurrences after n - 1 tokens, kinds of context after fewer."""
    tables = [count_ngrams(texts, n)]
    while len(tables) < n:
        tables.insert(0, count_kinds(tables[0]))
    return tables


def estimate_discounts(counts: Counts) -> tuple[float, float, float]:
    """Estimate what to take from tokens that came once, twice, and more often, in a context.

    Each is above 0, so that something is left for what was not seen: .5, 1 and 1.5 stand where
    an estimate is not, and where no token came once, twice, three or four times.
    """
    times = Counter(n for after in counts.values() for n in after.values())
    if not all(times[n] for n in (1, 2, 3, 4)):
        return 0.5, 1.0, 1.5
    share = times[1] / (times[1] + 2 * times[2])
    estimates = (n - (n + 1) * share * times[n + 1] / times[n] for n in (1, 2, 3))
    once, twice, more = (d if d > 0 else n / 2 for n, d in enumerate(estimates, start=1))
    return once, twice, more


def kneser_ney(
    tables: Sequence[Counts],
    n_tokens: int,
    discounts: Sequence[tuple[float, float, float]] | None = None,
) -> Model:
    """Make the model that takes a little from every count, and gives it to shorter contexts.

    Shorter contexts count kinds: in how many contexts a token came, and not how often.

    Parameters
    ----------
    tables : list of Counts
        From :func:`kneser_ney_tables`.
    n_tokens : int
        How many there are in the vocabulary.
    discounts : list of triples, optional
        For each table; default: estimated from it ("modified" Kneser-Ney).
    """
    discounts = discounts or [estimate_discounts(counts) for counts in tables]

    def left(n: int, order: int) -> float:  # of a count, when its discount is taken
        return max(0.0, n - discounts[order][min(n, 3) - 1]) if n else 0.0

    @cache
    def taken_and_total(context: Context) -> tuple[float, int]:
        numbers = tables[len(context)][context].values()
        return sum(n - left(n, len(context)) for n in numbers), sum(numbers)

    def probability(token: str, context: Context) -> float:
        shorter = probability(token, context[1:]) if context else 1 / n_tokens
        after = tables[len(context)].get(context)
        if not after:
            return shorter
        taken, total = taken_and_total(context)
        return (left(after[token], len(context)) + taken * shorter) / total

    return probability


def spelling_model(words: Iterable[str], n: int = 4) -> Model:
    """Make a Kneser-Ney model of letters from the words that a vocabulary leaves out.

    Parameters
    ----------
    words : list of str
        Each counts once. The end of a word is a line end; see :func:`spell`.

    Returns
    -------
    Model
        Signs that stand in none of the words are not told apart: each costs what one symbol
        for all of them would, and cannot be read back.

    Raises
    ------
    ValueError
        If there are no words.
    """
    spelled = [spell(word) for word in words]
    if not spelled:
        raise ValueError("there are no words to learn spelling from: count texts in which "
                         "some words come only once")  # fmt: skip
    n_letters = len(find_vocabulary(spelled))  # with one for every other sign
    return kneser_ney(kneser_ney_tables(spelled, n), n_letters)


def spell(word: str) -> list[str]:
    """Return the letters of a word, and its end."""
    return [*word, LINE_END]


# ---------------------------------------------------------------- using a model


def surprisal(model: Model, tokens: Sequence[str], n: int) -> np.ndarray:
    """Return the bits that each token of a text costs: −log₂ of its probability.

    Returns
    -------
    array of shape (n_tokens,)
        Infinite where the model holds a token to be impossible.
    """
    pairs = zip(tokens, contexts_of(tokens, n), strict=True)
    with np.errstate(divide="ignore"):
        return -np.log2([model(token, context) for token, context in pairs])


def pick(
    weights: Mapping[str, float],
    rng: np.random.Generator,
    temperature: float = 1.0,
    most: int | None = None,
) -> str:
    """Draw a token, each as often as its weight says.

    Parameters
    ----------
    weights : mapping from token to number
        Counts or probabilities.
    temperature : float
        Above 1 makes the weights more alike, below 1 less.
    most : int, optional
        Draw among so many of the largest weights ("top-k"); 1 is the greedy choice.
    """
    ranked = sorted(weights, key=lambda token: (-weights[token], token))[:most]
    shares = np.array([weights[token] / weights[ranked[0]] for token in ranked])
    shares **= 1 / temperature
    return ranked[rng.choice(len(ranked), p=shares / shares.sum())]


def write(
    weights_after: Callable[[Context], Mapping[str, float]],
    n: int,
    n_tokens: int,
    rng: np.random.Generator,
    temperature: float = 1.0,
    most: int | None = None,
) -> list[str]:
    """Write so many tokens, each drawn after the n - 1 before it; see :func:`pick`."""
    tokens: list[str] = []
    for _ in range(n_tokens):
        context = tuple([LINE_END] * (n - 1) + tokens)[len(tokens) :]
        tokens.append(pick(weights_after(context), rng, temperature, most))
    return tokens
