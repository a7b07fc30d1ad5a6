"""Faults written by hand, and what is not counted as one: see ``mutants.py``."""

# What is drawn, and what else a syntax tree does not think of. The old text must stand in its
# module once.
BY_HAND: dict[str, list[tuple[str, str]]] = {
    "figures/attention.py": [
        ("axes, to_array(weights), largest", "axes, to_array(weights).T, largest"),
        ('xlabel="is seen", ylabel="looks"', 'xlabel="looks", ylabel="is seen"'),
        ('xlabel="head", ylabel="layer"', 'xlabel="layer", ylabel="head"'),
        ("= maps[layer, head]", "= maps[layer, head].T"),
        ("= maps[layer, head]", "= maps[-1 - layer, head]"),
        ("str(layer + 1) for layer in layers", "str(layer) for layer in layers"),
        ("str(head + 1) for head in heads", "str(head) for head in heads"),
        ('interpolation="none"', 'interpolation="none", origin="lower"'),
        ("cmap=SHADES, vmin=0", "cmap=SHADES.reversed(), vmin=0"),
        ("vmin=0, vmax=largest", "vmax=largest"),
        ("of_layer.mean()", "np.median(of_layer)"),
        ("axes.yaxis, tokens, range", "axes.yaxis, tokens[::-1], range"),
        ("axes.xaxis, tokens, range", "axes.xaxis, sorted(tokens), range"),
    ],
    "figures/layers.py": [
        ("SHADES(of_tile[layer, token])", "SHADES(of_tile[-1 - layer, token])"),
        ("SHADES(of_tile[layer, token])", "SHADES(1 - of_tile[layer, token])"),
        ("[str(layer) for layer in layers]", "[str(layer + 1) for layer in layers]"),
        ("by_layer.index, by_layer[0.5]", "by_layer.index, by_layer[0.25]"),
        ("by_layer[0.25], by_layer[0.75]", "by_layer[0.25], by_layer[0.5]"),
        ('inner="quart"', 'inner="box"'),
        ("label=comparison,", "label=comparisons[0],"),
        ("xlabel=x, ylabel=label", "xlabel=label, ylabel=x"),
        ("html.escape(drawn(token))", "drawn(token)"),
        ("SHADES(layer / n_layers)", "SHADES(1 - layer / n_layers)"),
    ],
    "figures/page.py": [
        ('"text.parse_math": False,', ""),
        ('rotation=90, ha="right"', 'rotation=90, ha="left"'),
        ("with style(), warnings", "with warnings"),
        ("plt.close(figure)", "pass"),
    ],
    "texts/poems.py": [
        ("html.escape(verse)", "verse"),
        ("line_feeds(text)", "text"),
    ],
    "checks.py": [
        ("np.abs(ours - theirs)", "(ours - theirs)"),
        ("0, np.abs(ours - theirs)).max()", "0, np.abs(ours - theirs)).min()"),
        ("np.abs(ours - theirs)).max()", "np.abs(ours - theirs)).mean()"),
    ],
}

# Faults that change nothing that anyone could notice, each with the reason.
EQUIVALENT = {
    "exercises/wires.py predicts: 7 → 8": "the numbers of tokens that an answer is tried on",
    "splits.py joined_groups: False → True": "parts that hang together weakly are the same",
    "exercises/transformer.py norm: 1e-3 → 0.002": "how near is near enough",
    "exercises/transformer.py gelu: 41 → 42": "how many numbers an answer is tried on",
    "similarity.py module: 8 → 9": "rounding is a unit or two, what is real thousands",
    "exercises/transformer.py fourth: close > 0.9 → close >= 0.9": "no cosine is 0.9 exactly",
    "figures/page.py label_tokens: size < 5 → size <= 5": "no number of tokens gives exactly 5",
    "figures/page.py label_width: 72 → 73": "an estimate, on the safe side",
    "figures/page.py show: 8 → 9": "of these, the length of an id; tested is the other",
    "figures/page.py svg_with_alt: 1 → 2": "there is one <svg> to name",
    "similarity.py cosine: np.clip((a * b).sum(axis=-1), -1, 1) → "
    "np.clip(-1, (a * b).sum(axis=-1), 1)": "the larger of two, whichever comes first",
    "texts/encodings.py _share_of_common: 200_000 → 200001": "of how much a guess is made",
    "texts/passages.py windows: cut > after → cut >= after": "a step further, to the same end",
}

# Matters of taste (nobody is wrong about how thick a line is), and nets under nets.
TASTE = {"alpha", "height", "linewidth", "s", "shrink", "strict", "width", "zorder"}
TASTE |= {"STYLE", "dashes"}  # names of variables
TASTE |= {"MASK", "SCORES", "VECTORS"}  # what learners' answers are tried on: any would do
# Where the parts of a diagram stand, to a unit of its drawing, is looked at, not tested.
DIAGRAMS = {"figures/diagrams.py", "figures/drawing.py"}
