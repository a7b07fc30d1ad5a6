"""The in-page model against transformers and torch, in a real browser."""

import hashlib
import json
import random

import numpy as np
import pytest
import torch

from layerwise.models import load_encoder
from layerwise.texts.poems import load_poems
from tools.explorers.scripts import SOURCE, compile_kernel
from tools.explorers.weights import parameters_of, quantize_all, quantized_copy

pytest_plugins = ("explorer_fixtures",)

POEM_LINES = """
Because I could not stop for Death,
He kindly stopped for me;
The carriage held but just ourselves
And Immortality.
Hope is the thing with feathers
That perches in the soul,
I'm nobody! Who are you?
The soul selects her own society,
There's a certain slant of light,
That oppresses, like the weight
Of cathedral tunes.
Success is counted sweetest
By those who ne'er succeed.
Much madness is divinest sense
To a discerning eye;
A wounded deer leaps highest,
I taste a liquor never brewed,
From tankards scooped in pearl;
The heart asks pleasure first,
And then, excuse from pain;
A narrow fellow in the grass
Occasionally rides;
I died for beauty, but was scarce
Adjusted in the tomb,
""".strip().splitlines()
OTHER_TEXTS = [
    "Über allen Gipfeln ist Ruh, in allen Wipfeln spürest du kaum einen Hauch",
    "Les sanglots longs des violons de l'automne blessent mon cœur",
    "Nel mezzo del cammin di nostra vita mi ritrovai per una selva oscura",
    "Verde que te quiero verde. Verde viento. Verdes ramas.",
    "Я помню чудное мгновенье: передо мной явилась ты",
    "Ἄνδρα μοι ἔννεπε, Μοῦσα, πολύτροπον",
    "古池や蛙飛びこむ水の音",
    "床前明月光,疑是地上霜",
    "나 보기가 역겨워 가실 때에는",
    "قفا نبك من ذكرى حبيب ومنزل",
    "मधुर मधुर मेरे दीपक जल",
    "Đây thôn Vĩ Dạ",
    "🌹 is a 🌹 is a 🌹",
    "👩‍👩‍👧‍👦 family, thumbs 👍🏽, flag 🇫🇷",
    "a",
    "!",
    "[MASK] is the thing with feathers",
    "x" * 101 + " and after",
    "the of and to in " * 102,  # 510 pieces and [CLS] and [SEP]: the whole window
]
TEXTS = POEM_LINES + OTHER_TEXTS
WINDOW = 512
PAIR = ("Who are you?", "I'm nobody!")
PADDED_TO = 20

RUN_IN_PAGE = """
async ({ requests, manifest, base, name, kernel }) => {
  const { fromBase64 } = await import("/explorer/assets.mjs");
  const { encode, useSteps } = await import("/explorer/bert.mjs");
  const { startKernel } = await import("/explorer/kernel.mjs");
  const { Weights } = await import("/explorer/weights.mjs");
  useSteps(kernel ? await startKernel(fromBase64(kernel)) : null);
  const bytes = await (await fetch(base + manifest.weights.file)).arrayBuffer();
  const weights = new Weights(bytes, manifest);
  for (const [i, batch] of requests.entries()) {
    const { hidden_states, attentions } = await encode(batch, weights, manifest.config);
    const body = new Blob([...hidden_states, ...attentions]);
    await fetch(`/${name}/${i}`, { method: "POST", body });
  }
}
"""


@pytest.fixture(scope="module")
def encoder():
    return load_encoder(device="cpu")


@pytest.fixture(scope="module")
def page(explorer_browser, explorer_site):
    page = explorer_browser.new_page()
    page.goto(explorer_site.url + "empty.html")
    yield page
    page.close()


@pytest.fixture(scope="module")
def manifest(explorer_assets):
    return json.loads((explorer_assets / "manifest.json").read_text("utf-8"))


def batches(encoder):
    """Every text by itself, a pair, and a padded line."""

    def tokenize(*texts, **options):
        return dict(encoder.tokenizer(*texts, truncation=False, **options))

    yield from (tokenize(text, padding=False) for text in TEXTS)
    poems = " ".join(load_poems()["text"].iloc[40:])
    yield dict(encoder.tokenizer(poems, padding=False, truncation=True, max_length=WINDOW))
    yield tokenize(*PAIR, padding=False)
    yield tokenize(POEM_LINES[0], padding="max_length", max_length=PADDED_TO)


def run_in_page(
    page, site, manifest, requests, base="/explorer/assets/", name="run", kernel="the build's"
):
    """Return hidden_states and attentions of each request, as the page computed them.

    kernel is a compiled kernel in base64, or None for the plain loops.
    """
    kernel = manifest["kernel"] if kernel == "the build's" else kernel
    arguments = {"requests": requests, "manifest": manifest, "base": base, "name": name}
    page.evaluate(RUN_IN_PAGE, arguments | {"kernel": kernel})
    config = manifest["config"]
    n_layers, n_heads, n_dims = config["n_layers"], config["n_heads"], config["n_dims"]
    results = []
    for i, request in enumerate(requests):
        n = len(request["input_ids"])
        numbers = np.frombuffer(site.server.posted.pop(f"/{name}/{i}"), dtype="<f4")
        n_hidden = (n_layers + 1) * n * n_dims
        results.append(
            (
                numbers[:n_hidden].reshape(n_layers + 1, n, n_dims),
                numbers[n_hidden:].reshape(n_layers, n_heads, n, n),
            )
        )
    return results


def run_in_torch(model, request):
    tensors = {name: torch.tensor([numbers]) for name, numbers in request.items()}
    with torch.inference_mode():
        outputs = model(**tensors, output_hidden_states=True, output_attentions=True)
    return torch.cat(outputs.hidden_states).numpy(), torch.cat(outputs.attentions).numpy()


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def compare(requests, ours, theirs):
    """Measure how far the page's results are from torch's."""
    difference, cosines, same_top, hidden = [], [], [], []  # of each text
    for request, (hidden_a, attention_a), (hidden_b, attention_b) in zip(
        requests, ours, theirs, strict=True
    ):
        counted = np.array(request["attention_mask"], dtype=bool)
        difference.append(np.abs(attention_a - attention_b)[:, :, counted].ravel())
        top_a, top_b = attention_a.argmax(-1), attention_b.argmax(-1)
        same_top.append((top_a == top_b)[:, :, counted].ravel())
        hidden.append(np.abs(hidden_a - hidden_b)[:, counted].max())
        for layer_a, layer_b in zip(hidden_a, hidden_b, strict=True):
            cosines.append(cosine(layer_a[counted].mean(0), layer_b[counted].mean(0)))
    return {
        "attention_max": float(max(each.max() for each in difference)),
        "attention_mean": float(max(each.mean() for each in difference)),
        "pooled_cosine_min": min(cosines),
        "same_top": float(np.concatenate(same_top).mean()),
        "hidden_max": float(max(hidden)),
    }


def agrees(found):
    """Say whether the page shows what torch would, as closely as the book promises."""
    return (
        found["attention_max"] < 0.04
        and found["attention_mean"] < 0.002
        and found["pooled_cosine_min"] >= 0.999
        and found["same_top"] >= 0.97
    )


@pytest.fixture(scope="module")
def requests(encoder):
    return list(batches(encoder))


@pytest.fixture(scope="module")
def reference(encoder, requests):
    return [run_in_torch(encoder.model, request) for request in requests]


@pytest.fixture(scope="module")
def in_page(page, explorer_site, manifest, requests):
    return run_in_page(page, explorer_site, manifest, requests)


def test_page_agrees_with_torch_on_every_text(requests, in_page, reference):
    assert len(requests) >= 40
    assert max(len(request["input_ids"]) for request in requests) == 512
    found = compare(requests, in_page, reference)
    print(found)
    assert agrees(found), found


def test_forward_pass_is_exact_given_the_same_weights(requests, in_page, encoder):
    """With rounding taken out of the comparison, arithmetic is all that is left to differ."""
    quantized = quantize_all(parameters_of(encoder.model))
    rounded = quantized_copy(encoder.model, quantized)
    some = slice(0, None, 6)
    theirs = [run_in_torch(rounded, request) for request in requests[some]]
    found = compare(requests[some], in_page[some], theirs)
    assert found["attention_max"] < 1e-4, found
    assert found["hidden_max"] < 1e-3, found


def test_every_row_of_attention_sums_to_one_and_padding_gets_none(requests, in_page):
    for request, (_, attention) in zip(requests, in_page, strict=True):
        counted = np.array(request["attention_mask"], dtype=bool)
        np.testing.assert_allclose(attention.sum(-1), 1, atol=1e-4)
        assert np.all(attention[..., ~counted] == 0)


# ---------------------------------------------------------------- loops and kernel


@pytest.fixture(scope="module")
def some(requests):
    """Short texts, a pair, a padded line, the whole window; odd and even numbers of tokens."""
    return [*requests[:4], *requests[-2:], *requests[24:40:5], requests[-3]]


@pytest.fixture(scope="module")
def by_loops(page, explorer_site, manifest, some):
    return run_in_page(page, explorer_site, manifest, some, name="loops", kernel=None)


def farthest_apart(ours, theirs):
    """Return the largest difference: of attention, and of hidden states to their largest."""
    attention = max(np.abs(a[1] - b[1]).max() for a, b in zip(ours, theirs, strict=True))
    hidden = max(
        np.abs(layer_a - layer_b).max() / np.abs(layer_b).max()
        for a, b in zip(ours, theirs, strict=True)
        for layer_a, layer_b in zip(a[0], b[0], strict=True)
    )
    return float(attention), float(hidden)


def test_kernel_does_what_the_loops_do(page, explorer_site, manifest, some, by_loops):
    assert {len(request["input_ids"]) % 2 for request in some} == {0, 1}
    by_kernel = run_in_page(page, explorer_site, manifest, some, name="kernel")
    attention, hidden = farthest_apart(by_kernel, by_loops)
    print(f"kernel and loops differ by {attention:.1e} (attention), {hidden:.1e} (hidden)")
    assert attention < 1e-5
    assert hidden < 1e-5
    assert not all(np.array_equal(a[0], b[0]) for a, b in zip(by_kernel, by_loops, strict=True))


BROKEN_KERNELS = [
    ("(v128.load offset=32 (local.get $bias))", "(v128.load offset=16 (local.get $bias))"),
    ("(local.set $y (v128.load32_splat (local.get $a1)))", "(local.set $y (local.get $x))"),
    ("v128.const f32x4 0.16666667 0.16666667", "v128.const f32x4 0.16666667 0.16"),
    ("i8x16.shuffle 8 9 10 11", "i8x16.shuffle 0 1 2 3"),
    ("1.421413741 1.421413741", "1.421413741 1.42"),
    ("(f32x4.gt (local.get $x)", "(f32x4.ne (local.get $x)"),
]


@pytest.mark.parametrize(("right", "wrong"), BROKEN_KERNELS)
def test_a_broken_kernel_is_found_out(
    right, wrong, page, explorer_site, manifest, some, by_loops, tmp_path
):
    source = (SOURCE / "kernel.wat").read_text("utf-8")
    assert right in source
    (tmp_path / "broken.wat").write_text(source.replace(right, wrong, 1), "utf-8")
    broken = compile_kernel(tmp_path / "broken.wat")
    short = slice(0, 6)
    ours = run_in_page(page, explorer_site, manifest, some[short], name="broken", kernel=broken)
    attention, hidden = farthest_apart(ours, by_loops[short])
    assert not (attention < 1e-5 and hidden < 1e-5)


def test_without_simd_the_loops_run(page):
    """A browser that does not know these instructions refuses the bytes; so it does others."""
    found = page.evaluate(
        """async () => {
          const { startKernel } = await import("/explorer/kernel.mjs");
          return startKernel(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 99]));
        }"""
    )
    assert found is None


TWINS = [
    "encoder.layer.0.attention.self.query.weight",
    "encoder.layer.3.attention.self.key.weight",
    "encoder.layer.5.output.dense.weight",
    "embeddings.word_embeddings.weight",
]


@pytest.mark.parametrize("name", TWINS)
def test_scales_shifted_by_one_block_are_found_out(
    name, page, explorer_site, explorer_assets, manifest, requests, reference
):
    """The broken twin: one matrix reads each block with its neighbour's scale."""
    data = bytearray((explorer_assets / "weights.bin").read_bytes())
    tensor = next(tensor for tensor in manifest["tensors"] if tensor["name"] == name)
    start, n = tensor["scales_offset"], int(np.prod(tensor["shape"])) // 32
    scales = np.frombuffer(bytes(data[start : start + 2 * n]), dtype="<u2")
    data[start : start + 2 * n] = np.roll(scales, 1).tobytes()
    (explorer_site.root / "twin.bin").write_bytes(data)
    weights = manifest["weights"] | {
        "file": "twin.bin", "sha256": hashlib.sha256(data).hexdigest()
    }
    twin = manifest | {"weights": weights}
    short = slice(0, 12)
    ours = run_in_page(page, explorer_site, twin, requests[short], base="/", name="twin")
    found = compare(requests[short], ours, reference[short])
    assert not agrees(found), found


# ---------------------------------------------------------------- tokens

TOKENIZE_IN_PAGE = """
async (texts) => {
  const { WordPiece } = await import("/explorer/wordpiece.mjs");
  const vocabulary = await (await fetch("/explorer/assets/vocab.txt")).text();
  const tokenizer = new WordPiece(vocabulary);
  return texts.map((text) => tokenizer.encode(text).input_ids.join(" "));
}
"""
ENCODE_IN_PAGE = """
async (calls) => {
  const { WordPiece } = await import("/explorer/wordpiece.mjs");
  const vocabulary = await (await fetch("/explorer/assets/vocab.txt")).text();
  const tokenizer = new WordPiece(vocabulary);
  return calls.map(([text, pair, options]) => {
    const { input_ids, token_type_ids, attention_mask } = tokenizer.encode(text, pair, options);
    return { input_ids, token_type_ids, attention_mask };
  });
}
"""
POOLS = [
    "abcdefghij KLMNOP  qrstuvwxyz",
    "àéîõüçñÅØßŒæĳŁđþÐſﬁﬀİıŠžǅǆ",
    "\u0300\u0301\u0308\u0327\u0323\u20dd\u05b0\u064b\u093c\u0e31",
    "ΑΣΊΰςάἌῼΩ ЖЙЁщ ԱԲև ႠაᲐ Ꭰ ⴰ",
    "古池蛙水月光㐀\U00020000\U0002f800豈々〆",
    "가각힣ㄱ\u1100\u1161\u11a8 ひらがなカタカナガ゙ｶﾞ",
    "ابتثجآأۀ שלוםﬡ अआइकखगज़ กขฃำ",
    "😀👩\u200d👧👍🏽🇫🇷☺\ufe0f🌹𝔄𝒷𝟙Ⅷ①",
    " \t\n\r\x0b\x0c\x1c\x85\xa0\u1680\u2003\u2028\u2029\u202f\u3000",
    "\x00\x01\x7f\xad\u200b\u200c\u200e\u202e\u2060\ufeff\ufffd\ue000\U000e0001\U000f0000",
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    "«»“”‘’—–…¿¡§¶·†‡•‰′€£¥©®°±×÷←→∞≠√∑",
    "0123456789٠١٢३४½¾²₂",
]
PIECES = [
    "[MASK]", "[CLS]", "[SEP]", "[PAD]", "[UNK]", "[mask]", "[MASK", "##ing", "gossamer", "n't",
    "a" * 99, "b" * 100, "c" * 101, "é" * 100, "\U0001d400" * 100, "_", "''", "o'er",
]


def ids_in_transformers(encoder, texts):
    batch = encoder.tokenizer(texts, padding=False, truncation=False, verbose=False)
    return batch["input_ids"]


def awkward_strings(n):
    """Make strings that a tokenizer of one's own gets wrong, always the same ones."""
    chance = random.Random(1890)
    for _ in range(n):
        pools = chance.sample(POOLS, chance.randint(1, 4))
        pieces = []
        for _ in range(chance.randint(0, 40)):
            pool = PIECES if chance.random() < 0.06 else chance.choice(pools)
            pieces.append(chance.choice(pool))
        yield "".join(pieces)


def test_ids_are_those_of_transformers_on_awkward_unicode(page, encoder):
    texts = ["", " ", *TEXTS, *awkward_strings(3000)]
    theirs = ids_in_transformers(encoder, texts)
    ours = page.evaluate(TOKENIZE_IN_PAGE, texts)
    wrong = [
        (text, their_ids, our_ids)
        for text, their_ids, our_ids in zip(texts, theirs, ours, strict=True)
        if " ".join(map(str, their_ids)) != our_ids
    ]
    assert not wrong, (len(wrong), wrong[:3])


def test_every_character_is_read_as_transformers_reads_it(page, encoder):
    """The limit: some characters younger than Unicode 8 (2015), all in scripts far from here.

    transformers' tables are of that age, a browser's are not.
    """
    characters = [chr(c) for c in range(0x30000) if not 0xD800 <= c < 0xE000]
    size = 256
    groups = [characters[i : i + size] for i in range(0, len(characters), size)]
    texts = [" ".join(f"a{character}b" for character in group) for group in groups]
    theirs = ids_in_transformers(encoder, texts)
    ours = page.evaluate(TOKENIZE_IN_PAGE, texts)
    doubtful = [
        character
        for group, their_ids, our_ids in zip(groups, theirs, ours, strict=True)
        if " ".join(map(str, their_ids)) != our_ids
        for character in group
    ]
    texts = [f"a{character}b" for character in doubtful]
    theirs = ids_in_transformers(encoder, texts)
    ours = page.evaluate(TOKENIZE_IN_PAGE, texts)
    differing = [
        character
        for character, their_ids, our_ids in zip(doubtful, theirs, ours, strict=True)
        if " ".join(map(str, their_ids)) != our_ids
    ]
    assert len(differing) < 800, len(differing)
    assert min(differing) > "\u0600"  # Latin, Greek, Cyrillic, Hebrew: none
    near = [c for c in differing if "\u2000" <= c < "\u2e00" or "\u3000" <= c < "\ua000"]
    assert not near, near  # punctuation, symbols, kana, CJK: none
    assert not [c for c in differing if "\U0001f000" <= c], "emoji"


def test_ids_are_read_back_as_transformers_does(page, encoder):
    input_ids = [encoder.tokenizer(text)["input_ids"] for text in POEM_LINES + OTHER_TEXTS[:-2]]
    ours = page.evaluate(
        """async (lists) => {
          const { WordPiece } = await import("/explorer/wordpiece.mjs");
          const vocabulary = await (await fetch("/explorer/assets/vocab.txt")).text();
          const tokenizer = new WordPiece(vocabulary);
          return lists.map((ids) => tokenizer.decode(ids));
        }""",
        input_ids,
    )
    decode = encoder.tokenizer.decode
    assert ours == [decode(ids, skip_special_tokens=True) for ids in input_ids]


def test_padding_truncation_and_pairs_are_those_of_transformers(page, encoder):
    chance = random.Random(1896)
    calls, theirs = [], []
    for text in POEM_LINES[:12]:
        for pair in [None, "Who are you?", " ".join(POEM_LINES[4:7])]:
            length = chance.randint(5, 24)
            for padding in [False, True]:
                for truncation in [False, True]:
                    options = {"padding": padding, "truncation": truncation}
                    options["max_length"] = length
                    calls.append([text, pair, options])
                    batch = encoder.tokenizer(
                        text, pair, padding="max_length" if padding else False,
                        truncation=truncation, max_length=length,
                    )
                    theirs.append(dict(batch))
    assert page.evaluate(ENCODE_IN_PAGE, calls) == theirs


# ---------------------------------------------------------------- weights


def test_sha256_by_hand_is_sha256(page):
    lengths = [0, 1, 55, 56, 57, 63, 64, 65, 1000]
    ours = page.evaluate(
        """async (lengths) => {
          const { sha256ByHand } = await import("/explorer/sha256.mjs");
          const bytes = (n) => new Uint8Array(n).map((_, i) => i % 251);
          return lengths.map((n) => [...sha256ByHand(bytes(n))]);
        }""",
        lengths,
    )
    for n, digest in zip(lengths, ours, strict=True):
        assert bytes(digest) == hashlib.sha256(bytes(i % 251 for i in range(n))).digest()


def test_float16_is_decoded_exactly(page):
    every = np.arange(2**16, dtype="<u2")
    ours = page.evaluate(
        """async () => {
          const { decodeFloat16 } = await import("/explorer/weights.mjs");
          return Array.from({ length: 65536 }, (_, bits) => String(decodeFloat16(bits)));
        }"""
    )
    np.testing.assert_array_equal(
        np.array([float(x) for x in ours]), every.view("<f2").astype(float)
    )


def test_manifest_says_what_was_made(manifest, explorer_assets, encoder):
    for part in ["weights", "vocab", "examples", "drift"]:
        data = (explorer_assets / manifest[part]["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == manifest[part]["sha256"]
        assert len(data) == manifest[part]["bytes"]
    assert manifest["weights"]["bytes"] < 31_000_000
    assert manifest["source_sha256"].startswith("53aa51172d14")
    assert 0 < manifest["error"]["attention_mean"] < manifest["error"]["attention_max"] < 0.04
    config = encoder.model.config
    assert manifest["config"]["n_layers"] == config.num_hidden_layers
