"""Make what the in-page explorers read: weights, vocabulary, example lines, drift of the poems.

    python -m tools.explorers.make --out DIR [--model CHECKPOINT] [--decoder CHECKPOINT]

Writes to DIR

- ``manifest.json``: what was made from which weights, with digests, the measured error and the
  compiled kernel; why something was left out;
- ``weights.bin``: the matrices as whole numbers of 10 bits (an int8 and two bits), in blocks of
  32 with one fp16 scale a block; vectors and small tables as float32 (left out if it would be
  too large for a page);
- ``vocab.txt``: the vocabulary, one piece a line, line n is id n;
- ``examples.json``: some lines with the attention of every layer and head, in full precision;
- ``drift.json``: how far the poems move from layer to layer;
- ``poems.json``: the poems, to count;
- ``strips.json``: what each token of the poems costs the book's decoder, which read them once;
- ``senses.json``: places of words of two senses, with the nearest others in every layer;
- ``learning.json``: what each method trained beforehand made of each line;
- ``lens.json``, ``patching.json``: what lenses read, what patches and cuts do, in the decoder
  (left out where it is not here or not one that these were made for);
- ``order_lora.safetensors``: what LoRA learned of the order of words, to be added to the
  weights (left out if they are not those it was trained on).

Nothing here is committed: the build makes it again from the installed model.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

import pandas as pd

from layerwise.checkpoints import find_checkpoint
from layerwise.decoders import load_decoder
from layerwise.models import load_encoder
from layerwise.texts.poems import load_poems
from layerwise.texts.speeches import load_speeches
from tools.data import order_lora
from tools.desk import ROOT, BuildError, run_command
from tools.explorers.drift import make_drift
from tools.explorers.examples import LINES, make_example
from tools.explorers.learning import make_learning
from tools.explorers.lens import make_lens
from tools.explorers.patching import QUESTIONS, make_patching
from tools.explorers.scripts import compile_kernel
from tools.explorers.senses import make_senses
from tools.explorers.strips import make_strips
from tools.explorers.weights import (
    BITS,
    BLOCK,
    measure_error,
    pack_weights,
    parameters_of,
    quantize_all,
    weights_size,
)

FORMAT = 2
MAX_WEIGHTS_BYTES = 40_000_000  # more is too much for a phone to fetch for one page


def vocabulary(tokenizer) -> str:
    """Write a tokenizer's vocabulary as text: one piece a line, line n is id n."""
    pieces = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    assert [number for _, number in pieces] == list(range(len(pieces)))
    return "".join(piece + "\n" for piece, _ in pieces)


def poems_to_count(poems: pd.DataFrame) -> dict:
    """Return the poems with their titles, or first lines where they have none."""
    titles = poems["title"].fillna(poems["first_line"])
    pairs = zip(titles, poems["text"], strict=True)
    return {"poems": [{"title": title, "text": text} for title, text in pairs]}


def write(folder: Path, name: str, content: bytes | dict) -> dict:
    """Write a file, a dict as JSON; return its name, size and digest."""
    if isinstance(content, dict):
        content = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    (folder / name).write_bytes(content)
    return {"file": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def add_weights(manifest: dict, lines: list[str], encoder, out: Path) -> None:
    """Write the weights and the error they make, or why there are none."""
    parameters = parameters_of(encoder.model)
    size = weights_size(parameters)
    if size > MAX_WEIGHTS_BYTES:
        manifest["weights"] = None
        manifest["weights_left_out"] = (
            f"{manifest['checkpoint']} is {size / 1e6:.0f} MB even in {BITS} bits a number, "
            "too large for a page"
        )
        return
    quantized = quantize_all(parameters)
    data, tensors = pack_weights(parameters, quantized)
    manifest["weights"] = write(out, "weights.bin", data) | {"block": BLOCK, "bits": BITS}
    manifest["tensors"] = tensors
    manifest["error"] = measure_error(lines, encoder, quantized)


def add_interventions(
    manifest: dict, decoder: str | None, questions: dict[str, dict[str, str]], out: Path
) -> None:
    """Write what was read and changed inside the decoder, or why it was not."""
    manifest |= {"lens": None, "patching": None}
    try:
        loaded = load_decoder(decoder, "cpu")
    except OSError as error:
        manifest["interventions_left_out"] = str(error)
        return
    try:
        manifest["lens"] = write(out, "lens.json", make_lens(loaded))
        manifest["patching"] = write(out, "patching.json", make_patching(loaded, questions))
    except ValueError as error:  # words of several tokens, no such heads
        manifest["interventions_left_out"] = str(error)


def add_order(manifest: dict, out: Path) -> None:
    """Write what LoRA learned for the pages' own model, or why it is of no use to them."""
    data = (ROOT / order_lora.FILE).read_bytes()
    digest = json.loads((ROOT / order_lora.DIGEST).read_text("utf-8"))
    if manifest["checkpoint"] == digest["made with"]["encoder"]:
        manifest["order"] = write(out, order_lora.FILE.name, data)
        return
    manifest["order"] = None
    manifest["order_left_out"] = (
        f"the classifier was trained with {digest['made with']['encoder']}, and these pages "
        f"have {manifest['checkpoint']}"
    )


def build(
    out: Path,
    model: str | None = None,
    poems: pd.DataFrame | None = None,
    speeches: pd.DataFrame | None = None,
    decoder: str | None = None,
    questions: dict[str, dict[str, str]] = QUESTIONS,
) -> dict:
    """Make all assets in a folder, return the manifest; what is read: default, the book's."""
    checkpoint, encoder = find_checkpoint(model), load_encoder(model, "cpu")
    out.mkdir(parents=True, exist_ok=True)
    config, tokenizer = encoder.model.config, encoder.tokenizer
    poems = load_poems() if poems is None else poems
    speeches = load_speeches() if speeches is None else speeches
    measured = list(dict.fromkeys([*LINES, *poems["first_line"]]))
    manifest = {
        "format": FORMAT,
        "checkpoint": checkpoint.name,
        "revision": checkpoint.revision,
        "source_sha256": checkpoint.weights_sha256,
        "config": {
            "n_layers": config.num_hidden_layers,
            "n_heads": config.num_attention_heads,
            "n_dims": config.hidden_size,
            "n_positions": config.max_position_embeddings,
            "layer_norm_eps": config.layer_norm_eps,
        },
        "kernel": compile_kernel(),
        "vocab": write(out, "vocab.txt", vocabulary(tokenizer).encode()),
        "examples": write(
            out,
            "examples.json",
            {
                "n_layers": config.num_hidden_layers,
                "n_heads": config.num_attention_heads,
                "examples": [make_example(line, encoder) for line in LINES],
            },
        ),
        "drift": write(out, "drift.json", make_drift(poems, encoder)),
        "poems": write(out, "poems.json", poems_to_count(poems)),
        "strips": write(out, "strips.json", make_strips()),
        "senses": write(out, "senses.json", make_senses(speeches, encoder)),
        "learning": write(out, "learning.json", make_learning()),
    }
    add_interventions(manifest, decoder, questions, out)
    add_weights(manifest, measured, encoder, out)
    add_order(manifest, out)
    write(out, "manifest.json", manifest)
    return manifest


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    parser.add_argument("--model", help="a checkpoint the book knows; default: the book's own")
    parser.add_argument("--decoder", help="the model that writes; default: the book's own")
    options = parser.parse_args(arguments)
    return run_command(lambda: make(options.out, options.model, options.decoder))


def make(out: Path, model: str | None, decoder: str | None) -> None:
    """Make the assets."""
    try:
        build(out, model, decoder=decoder)
    except ValueError as error:
        raise BuildError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
