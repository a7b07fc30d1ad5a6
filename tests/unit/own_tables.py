"""Ten tables that a scholar might have, made up for the tests."""

import json
import random
from collections.abc import Callable
from pathlib import Path

GERMAN = {
    "Wald": ["Wald", "Baum", "Reh", "Moos", "Quelle", "Vogel"],
    "Stadt": ["Straße", "Brücke", "Laterne", "Händler", "Gasse", "Turm"],
}
GERMAN_FRAMES = [
    "Am frühen Morgen lag {a} noch im Nebel, und {b} war kaum zu erkennen.",
    "Zwischen {a} und {b} ging ein alter Mann mit schwerem Schritt.",
    "Niemand wusste, warum {a} so still war; nur {b} gab einen Laut von sich.",
]
CHINESE = [
    "床前明月光，疑是地上霜。",
    "举头望明月，低头思故乡。",
    "白日依山尽，黄河入海流。",
    "欲穷千里目，更上一层楼。",
    "春眠不觉晓，处处闻啼鸟。",
    "夜来风雨声，花落知多少。",
    "红豆生南国，春来发几枝。",
    "愿君多采撷，此物最相思。",
]
OLD_ENGLISH = [
    "Hwæt! We Gardena in geardagum, þeodcyninga, þrym gefrunon,",
    "hu ða æþelingas ellen fremedon.",
    "Oft Scyld Scefing sceaþena þreatum, monegum mægþum, meodosetla ofteah,",
    "egsode eorlas. Syððan ærest wearð feasceaft funden,",
    "he þæs frofre gebad, weox under wolcnum, weorðmyndum þah,",
    "oðþæt him æghwylc þara ymbsittendra ofer hronrade hyran scolde,",
    "gomban gyldan. Þæt wæs god cyning!",
]
SUBJECTS = ["the sea", "a storm", "her garden", "the old king", "his debts", "a letter",
            "the harvest", "my sister", "the bell", "our boat", "that winter"]  # fmt: skip
VERBS = ["remembers", "breaks", "forgives", "follows", "outlives", "drowns", "names", "fears"]


def sentences(n: int, seed: int = 0) -> list[str]:
    """Make sentences, all different."""
    rng = random.Random(seed)
    return [
        f"{rng.choice(SUBJECTS).capitalize()} {rng.choice(VERBS)} {rng.choice(SUBJECTS)}, and "
        f"{rng.choice(SUBJECTS)} {rng.choice(VERBS)} day {i}."
        for i in range(n)
    ]


def csv_of(rows: list[tuple], header: str) -> str:
    cells = [",".join('"' + str(x).replace('"', '""') + '"' for x in row) for row in rows]
    return "\n".join([header, *cells]) + "\n"


def german(folder: Path) -> list[str]:
    rows = []
    for label, words in GERMAN.items():
        for i, a in enumerate(words):
            for j, frame in enumerate(GERMAN_FRAMES):
                rows.append((frame.format(a=a, b=words[(i + j + 1) % len(words)]), label))
    text = csv_of(rows, "Text;Ort").replace('","', '";"')
    (folder / "deutsch.csv").write_bytes(text.encode("cp1252"))  # as an old Excel writes it
    return ["deutsch.csv", "--text", "Text", "--label", "Ort"]


def chinese(folder: Path) -> list[str]:
    rows = [(line + CHINESE[(i + 3) % 8] * (i % 3), "山水" if i % 2 else "思乡")
            for i, line in enumerate(CHINESE * 3)]  # fmt: skip
    (folder / "中文.csv").write_text(csv_of(rows, "诗,题"), encoding="utf-8")
    return ["中文.csv", "--text", "诗", "--label", "题"]


def old_english(folder: Path) -> list[str]:
    lines = [" ".join(OLD_ENGLISH[i : i + 1 + i % 2]) + f" {i // 7}" for i in range(7)] * 3
    (folder / "beowulf.jsonl").write_text(
        "\n".join(json.dumps({"line": f"{x} {i}"}) for i, x in enumerate(lines)),
        encoding="utf-8",
    )
    return ["beowulf.jsonl", "--text", "line"]


def tweets(folder: Path) -> list[str]:
    rng = random.Random(1)
    emoji = ["😀", "👍🏽", "👨‍👩‍👧", "🇩🇪", "❤️", "🔥🔥🔥"]
    rows = [
        (f"{text.lower()} {rng.choice(emoji)} https://t.co/{i:x}9Z #day{i} @someone{i % 7} "
         f"&amp; more", "happy" if i % 3 else "sad")
        for i, text in enumerate(sentences(40))
    ] + [("🔥🔥🔥", "happy"), ("😀", "sad")]  # fmt: skip
    (folder / "tweets.tsv").write_text(
        "full_text\tmood\n" + "".join(f"{a}\t{b}\n" for a, b in rows), encoding="utf-8"
    )
    return ["tweets.tsv", "--text", "full_text", "--label", "mood"]


def novel(folder: Path) -> list[str]:
    paragraphs = [" ".join(sentences(6, seed)) for seed in range(60)]
    (folder / "novel.csv").write_text(csv_of([("\n\n".join(paragraphs),)], "text"))
    return ["novel.csv", "--text", "text"]


def novel_in_passages(folder: Path) -> list[str]:
    return [*novel(folder), "--passages", "paragraph"]


def three_rows(folder: Path) -> list[str]:
    rows = [("Wild nights!", "a"), ("I'm nobody!", "b"), ("Hope is the thing", "b")]
    (folder / "three.csv").write_text(csv_of(rows, "text,kind"))
    return ["three.csv", "--text", "text", "--label", "kind"]


def two_labels_and_none(folder: Path) -> list[str]:
    rows = [(text, ["sea", "land", ""][i % 3]) for i, text in enumerate(sentences(30))]
    (folder / "labels.csv").write_text(csv_of(rows, "text,kind"))
    return ["labels.csv", "--text", "text", "--label", "kind"]


def one_label(folder: Path) -> list[str]:
    rows = [(text, "same") for text in sentences(25)]
    (folder / "one.csv").write_text(csv_of(rows, "text,kind"))
    return ["one.csv", "--text", "text", "--label", "kind"]


def everything_wrong(folder: Path) -> list[str]:
    good = sentences(24)
    lines = ["sep=;", "Nr;Text ;Art;"]
    for i, text in enumerate(good):
        lines.append(f'{i};"<p>{text}</p>&nbsp;";{"Ja" if i % 2 else "ja"};')
    lines += [
        "24;;ja;", "25;NULL;ja;", f"26;{good[0]};nein;", "", "27;NaN", "28;1889;nein;",
        "29;so;many;cells;here;", "30;\u200b;ja;", '31;"two\r\nlines\x0b";nein;',
        "32;schÃ¶n und groÃŸ;nein;",
    ]  # fmt: skip
    data = "\r\n".join(lines).encode("utf-8") + "\r\n33;caf\xe9;ja;\r\n".encode("cp1252")
    (folder / "Export (final) 2.csv").write_bytes(data)
    return ["Export (final) 2.csv", "--text", "Text", "--label", "Art"]


TABLES: dict[str, Callable[[Path], list[str]]] = {
    f.__name__: f
    for f in [german, chinese, old_english, tweets, novel, novel_in_passages, three_rows,
              two_labels_and_none, one_label, everything_wrong]
}  # fmt: skip
