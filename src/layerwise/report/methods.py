"""The paragraph on methods that a paper needs: numbers, versions, digests, sources."""

import hashlib
import html
import re
from collections.abc import Sequence

import pandas as pd

from layerwise.display import count, number
from layerwise.evaluation import N_DRAWS
from layerwise.report.agreement import N_SHUFFLES
from layerwise.report.cost_limits import dealt
from layerwise.report.findings import LEVEL
from layerwise.report.measure import Measured
from layerwise.report.words import interval, p_value, percent

LIBRARIES = ["layerwise", "torch", "transformers", "tokenizers", "numpy", "scipy",
             "scikit-learn", "pandas"]  # fmt: skip
SOURCES = {  # by how the paragraphs name them
    "Reimers and Gurevych 2019": "Reimers, N., and Gurevych, I. (2019). Sentence-BERT: "
    "Sentence embeddings using Siamese BERT-networks. EMNLP-IJCNLP 2019.",
    "Ethayarajh 2019": "Ethayarajh, K. (2019). How contextual are contextualized word "
    "representations? EMNLP-IJCNLP 2019.",
    "Timkey and van Schijndel 2021": "Timkey, W., and van Schijndel, M. (2021). All bark and "
    "no bite: Rogue dimensions in transformer language models obscure representational "
    "quality. EMNLP 2021.",
    "Schönemann 1966": "Schönemann, P. H. (1966). A generalized solution of the orthogonal "
    "Procrustes problem. Psychometrika 31(1).",
    "Efron and Tibshirani 1993": "Efron, B., and Tibshirani, R. J. (1993). An introduction to "
    "the bootstrap. Chapman & Hall.",
    "Clopper and Pearson 1934": "Clopper, C. J., and Pearson, E. S. (1934). The use of "
    "confidence or fiducial limits illustrated in the case of the binomial. Biometrika 26(4).",
    "McNemar 1947": "McNemar, Q. (1947). Note on the sampling error of the difference between "
    "correlated proportions or percentages. Psychometrika 12(2).",
    "Levy 2008": "Levy, R. (2008). Expectation-based syntactic comprehension. Cognition "
    "106(3).",
    "Chen and Goodman 1999": "Chen, S. F., and Goodman, J. (1999). An empirical study of "
    "smoothing techniques for language modeling. Computer Speech & Language 13(4).",
}
# Signs that Markdown, or a page made of it, would take for its own.
MARKDOWN = re.compile(r"[\\`*\[\]$~^|]|(?<!\w)_|_(?!\w)")
TAG_OR_ENTITY = re.compile(r"<(?=[A-Za-z/!?])|&(?=#?\w+;)")


def digest_of_texts(table: pd.DataFrame) -> str:
    """Return the SHA-256 of the texts as they were measured, in their order."""
    return hashlib.sha256("\0".join(table["text"]).encode()).hexdigest()


def methods_paragraphs(facts: dict, models: Sequence[Measured]) -> list[str]:
    """Write the methods as paragraphs of plain text.

    Parameters
    ----------
    facts : dict
        What stands in ``numbers.json``: ``texts``, ``models``, ``versions``.
    models : sequence of Measured
    """
    is_labelled = any(x.agreement for x in models)
    is_tested = is_labelled or bool(dealt(facts.get("surprisal", {}).get("tests", {})))
    return [
        about_texts(facts["texts"], is_labelled),
        *(about_model(model, facts["models"][model.model]) for model in models),
        about_measures(models[0], is_grouped(facts["texts"]), is_tested),
        *(about_labels(x.model, x.agreement.numbers) for x in models if x.agreement),
        about_software(facts),
    ]


def about_texts(texts: dict, is_labelled: bool) -> str:
    """Say which texts were measured; whether their labels were is said of groups."""
    labels = f" with {count(texts['n_labels'], 'label')}" if texts["n_labels"] else ""
    one = "passage" if texts["passages"] else "text"
    cut = f", its texts cut by {texts['passages']}" if texts["passages"] else ""
    grouped = grouping(texts, is_labelled)
    unit = "words" if texts["has_spaces"] else "characters, for want of spaces,"
    drawn = f", drawn at random from {texts['n_usable']:,}" if texts["is_sample"] else ""
    return (
        f"Texts. From {texts['file']} (SHA-256 {texts['file_sha256']}), which holds "
        f"{count(texts['n_rows'], 'row')}, {count(texts['n_texts'], one)} were measured"
        f"{drawn}{labels}{cut}; {texts['n_words']:,} {unit} in all, a median of "
        f"{texts['median_words']:,.0f} a {one}.{grouped} Rows left out and changes made "
        f"to texts are listed in tables/found.csv. SHA-256 of the texts as measured: "
        f"{texts['sha256']}."
    )


def is_grouped(texts: dict) -> bool:
    """Say whether intervals are over groups: if there are several, not each of one text."""
    return 1 < texts["n_groups"] < texts["n_texts"]


def grouping(texts: dict, is_labelled: bool) -> str:
    """Say which texts belong together, and what follows."""
    if not is_grouped(texts):
        return ""
    which = [f"column {texts['group']}"] if texts["group"] else []
    which += ["the passages of a text being one"] if texts["passages"] else []
    which += ["texts that are nearly the same being one"] if texts["n_joined"] else []
    column = f" ({'; '.join(which)})" if which else ""
    of_labels = (
        " labels are dealt out so that the texts of a group that share one get one again;"
        if is_labelled else ""
    )  # fmt: skip
    of_tests = (
        ", and a group counts once in a test, for the option that is right more often in it"
        if is_labelled else ""
    )  # fmt: skip
    return (
        f" They come from {texts['n_groups']:,} groups{column}: texts of one group are not "
        f"counted as each other's neighbours;{of_labels} intervals are over groups{of_tests}."
    )


def about_model(measured: Measured, model: dict) -> str:
    """Say which model was used, and how."""
    revision = f", revision {model['revision']}" if model["revision"] else ""
    reading = f", reading at most {model['window']:,} tokens" if model["window"] else ""
    weights = "; ".join(
        f"{name} {digest}" for name, digest in model["sha256"].items()
        if name.endswith(".safetensors")
    )  # fmt: skip
    return (
        f"Model. {measured.model} ({model['type']}, {model['n_layers']} layers, "
        f"{model['n_dims']} dimensions{revision}; SHA-256: {weights}; of its other files: "
        f"numbers.json), in {model['dtype']} on {model['device']}{reading}. A text's vector in "
        "a layer is the mean over its tokens, special ones counted, padding not (Reimers and "
        "Gurevych 2019). Layer 0 is what the embeddings give, before any attention."
    )


def about_measures(measured: Measured, over_groups: bool, is_tested: bool) -> str:
    """Say how drift and its baselines were measured."""
    drift, n_layers = measured.numbers["drift"], measured.numbers["n_layers"]
    last = {name: number(values[-1]) for name, values in drift.items()}
    level = (
        f" The level of tests is {number(LEVEL)}, without correction for their number."
        if is_tested else ""
    )  # fmt: skip
    return (
        "Measures. Drift is the cosine of a text's vector in a layer with its vector in layer "
        f"0; in layer {n_layers} its median is {last['same text']}. Baselines: the mean cosine "
        f"with all other texts in layer 0, {last['other text']}; the mean cosine with all "
        f"other texts in the same layer (after Ethayarajh 2019, of pooled texts), "
        f"{last['random pair']}. Centred, the mean of all texts subtracted from each layer "
        f"(Timkey and van Schijndel 2021): {last['same text, centred']}, with other texts "
        f"{last['other text, centred']}. {about_changes(measured, last)}All this in layer "
        f"{n_layers}, medians over texts. Intervals are 95% percentile bootstrap intervals "
        f"over {'groups' if over_groups else 'texts'} ({N_DRAWS:,} draws; "
        f"Efron and Tibshirani 1993).{level}"
    )


def about_changes(measured: Measured, last: dict[str, str]) -> str:
    """Say how a rotation and a shift were fitted, and on how many texts; nothing without."""
    if "same text, rotated" not in last:
        return ""
    n_kept, n_texts = measured.numbers["words"]["n_texts"], len(measured.groups)
    drawn = (
        f" Both were measured on {n_kept:,} of the texts, drawn at random."
        if n_kept < n_texts else ""
    )  # fmt: skip
    return (
        "Rotated: layer 0 is first multiplied by one orthogonal matrix, fitted on the tokens "
        "of every second text and tested on the texts between, and the other way round "
        f"(orthogonal Procrustes, Schönemann 1966), which gives {last['same text, rotated']}. "
        "Shifted: instead, one vector is added to all texts in layer 0, the mean of the layer "
        f"less that of layer 0, from the same halves: {last['same text, shifted']}.{drawn} "
    )


def about_labels(model: str, x: dict) -> str:
    """Say how the agreement of labels was measured, and what came out, given its numbers."""
    static, counted = x["against_static"], x["against_counted_words"]
    own_group = (
        f"; had neighbours of the same group counted, {percent(x['with_own_group'])}"
        if x["n_groups"] < x["n_texts"] else ""
    )  # fmt: skip
    exact = ", after Clopper and Pearson 1934" if x["agreement"] in (0, 1) else ""
    return (
        f"Labels ({model}). For {x['n_texts']:,} texts with {x['n_labels']} labels, "
        f"the nearest neighbour by cosine in the last layer has the same label in "
        f"{percent(x['agreement'])} of cases (95% interval "
        f"{interval(x['interval'], percent)}{exact}{own_group}); with labels dealt out at "
        f"random {N_SHUFFLES:,} times, {percent(x['chance'])} on average and "
        f"{percent(x['chance_95'])} once in twenty ({p_value(x['p_chance'])}; the best of all "
        f"layers: {percent(x['best_of_layers_by_chance_95'])} once in twenty). In the static "
        f"layer it is {percent(x['static'])} (exact McNemar test, {static['only_first']} "
        f"against {static['only_second']}, {p_value(static['p'])}); with TF-IDF weights of "
        f"words, no model, {percent(x['counted_words'])} ({counted['only_first']} against "
        f"{counted['only_second']}, {p_value(counted['p'])}; McNemar 1947)."
        " Two texts that are each other's nearest are right or wrong together: the interval is "
        "somewhat too narrow for that, and McNemar's p are somewhat too small."
    )


def about_software(facts: dict) -> str:
    """Say which versions were used."""
    named = ", ".join(f"{name} {x}" for name, x in facts["versions"].items())
    return f"Software. {named}. Command: {facts['command']}. Random draws have the seed 0."


def methods_markdown(title: str, paragraphs: Sequence[str], command: str) -> str:
    """Set the methods as a Markdown file, the command as code, the sources below."""
    text = [f"# Methods: {plain_in_markdown(title)}"]
    for paragraph in paragraphs:
        head, _, rest = paragraph.partition(". ")
        before, found, after = rest.partition(command if head == "Software" else "\0")
        code = code_span(found) if found else ""
        rest = plain_in_markdown(before) + code + plain_in_markdown(after)
        text.append(f"**{plain_in_markdown(head)}.** {rest}")
    used = [source for name, source in SOURCES.items() if any(name in x for x in paragraphs)]
    sources = "\n".join(f"- {source}" for source in used)
    return "\n\n".join([*text, "## Sources", sources]) + "\n"


def plain_in_markdown(text: str) -> str:
    """Write text so that Markdown shows it as it is, in one line."""
    text = MARKDOWN.sub(r"\\\g<0>", re.sub(r"\s*[\r\n]\s*", " ", text))
    return TAG_OR_ENTITY.sub(lambda sign: html.escape(sign[0]), text)


def code_span(text: str) -> str:
    """Set text as Markdown's code, between more backticks than it has in a row."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{text}{fence}"
