"""Describe what each token of the poems cost the decoder, for the explorer of surprisal."""

from layerwise.checkpoints import DEFAULTS
from layerwise.surprisal import WITH_ALTERNATIVES, kept_readings
from layerwise.texts.poems import load_poems


def make_strips() -> dict:
    """Describe each poem: where its tokens begin, what they cost, and what was more probable.

    Bits are in tenths; alternatives are numbers in the list of pieces, those of a token in a
    row.
    """
    readings = kept_readings()
    shown = readings[readings["condition"].isin(WITH_ALTERNATIVES)]
    pieces = sorted({piece for best in shown["alternatives"] for piece in best})
    number_of = {piece: i for i, piece in enumerate(pieces)}
    by_poem = {key: read for key, read in shown.groupby(["number", "condition"])}
    poems = [
        {
            "title": poem.title,
            "text": poem.text,
            "starts": by_poem[poem.number, WITH_ALTERNATIVES[0]]["start"].tolist(),
            "readings": [
                describe_reading(by_poem[poem.number, condition], number_of)
                for condition in WITH_ALTERNATIVES
            ],
        }
        for poem in load_poems().itertuples()
    ]
    return {"model": DEFAULTS["decoder"], "pieces": pieces, "poems": poems}


def describe_reading(read, number_of: dict[str, int]) -> dict:
    """Describe one reading of a poem."""
    return {
        "bits": (10 * read["bits"]).round().astype(int).tolist(),
        "rank": read["rank"].tolist(),
        "alternatives": [number_of[piece] for best in read["alternatives"] for piece in best],
    }
