"""One's own texts: every kind of file, and all that can be wrong with one."""

import ast
import copy
import json
import re
from pathlib import Path

import pandas as pd
import pytest

from layerwise.texts.cleaning import LINE_BREAK, clean
from layerwise.texts.columns import listed
from layerwise.texts.encodings import NO_TEXT, SIGNATURES, decode
from layerwise.texts.own import load_texts
from layerwise.texts.passages import cut_texts, sentence_spans, token_spans
from layerwise.texts.rows import name_columns

ROOT = Path(__file__).resolve().parents[2]
TABLE = [("Wild nights!\nWild nights!", "Love"), ("Über allen; Gipfeln, “ist” Ruh", "Nature"),
         ("I'm nobody! Who are you?", "Life")]  # fmt: skip


def write(path, content, encoding="utf-8"):
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def as_csv(delimiter=",", end="\n", rows=TABLE):
    quoted = [[cell.replace('"', '""') for cell in row] for row in [("text", "theme"), *rows]]
    return "".join(delimiter.join(f'"{cell}"' for cell in row) + end for row in quoted)


def rows_of(report, found):
    """Return the rows of the one finding that has these words in it."""
    matching = report[report["found"].str.contains(found, regex=False)]
    assert len(matching) == 1, (found, report.to_dict("records"))
    return matching["rows"].iloc[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32",
                                      "cp1252"])  # fmt: skip
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_tables_of_cells_are_read_whatever_their_dress(tmp_path, encoding, delimiter, end):
    path = write(tmp_path / "t.csv", as_csv(delimiter, end), encoding)
    table, report = load_texts(path, text="text", label="theme")
    assert list(table[["text", "label"]].itertuples(index=False, name=None)) == TABLE
    assert table["row"].tolist() == [2, 3, 4]
    assert table["title"].tolist()[0] == "Wild nights!"
    assert bool(len(report)) == (encoding != "utf-8")  # what was assumed is said


def test_the_other_kinds_of_files(tmp_path):
    frame = pd.DataFrame(TABLE, columns=["text", "theme"])
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_excel(tmp_path / "t.xlsx", index=False)
    objects = frame.to_dict("records")
    write(tmp_path / "t.json", json.dumps(objects))
    write(tmp_path / "columns.json", json.dumps(frame.to_dict("list")))
    write(tmp_path / "wrapped.json", json.dumps({"version": 2, "data": objects}))
    lines = "\n".join(json.dumps(x) for x in objects)
    write(tmp_path / "t.jsonl", lines)
    write(tmp_path / "lines.json", lines + "\n")
    for path in sorted(tmp_path.iterdir()):
        table, report = load_texts(path, text="text", label="theme")
        found = list(table[["text", "label"]].itertuples(index=False, name=None))
        assert found == TABLE, path
        assert report.empty, (path, report)


def test_a_folder_has_the_subfolders_as_labels(tmp_path):
    for name, text in {"love/one.txt": "Wild nights!", "life/two.txt": "I'm nobody!",
                       "life/three.md": "Hope", "life/.hidden.txt": "no",
                       "notes.docx": "x"}.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path / name, text)
    table, report = load_texts(tmp_path)
    assert set(table[["title", "label"]].itertuples(index=False, name=None)) == {
        ("one", "love"), ("two", "life"), ("three", "life"),
    }  # fmt: skip
    assert "notes.docx" in report["found"].iloc[0]


def test_everything_wrong_at_once_is_reported_and_nothing_dropped_in_silence(tmp_path):
    lines = [
        b"id,text,kind",  # row 1
        b'1,"A &amp; B<br>see <b>it</b>",x',
        b"2,,x",
        b"3,NA,x",
        b"4,sch\xc3\x83\xc2\xb6n,X",  # encoded twice
        b"5,caf\xe9 \xc3\xa9t\xc3\xa9,y",  # a byte that is not UTF-8
        b"",
        b"7,zero\xe2\x80\x8bwidth\x07bell,y",
        b"8,1889,y",
        b"9,A & B\tsee,y,more",
        b"10,again and again,",
        b"11,again  and again,y",
        b"12",
        "13,\u26c4\u2744,y".encode(),
    ]
    table, report = load_texts(write(tmp_path / "m.csv", b"\n".join(lines)), "text", "kind")
    by_row = dict(zip(table["row"], table["text"], strict=True))
    assert by_row == {
        2: "A & B\nsee it", 5: "schön", 6: "café été", 8: "zerowidthbell", 9: "1889",
        10: "A & B\tsee", 11: "again and again", 14: "\u26c4\u2744",
    }  # fmt: skip
    assert rows_of(report, "no text (NA)") == [4]
    assert report[report["found"] == "no text"]["rows"].iloc[0] == [3, 13]
    assert rows_of(report, "encoded twice") == [5]
    assert rows_of(report, "not in the file's encoding") == [6]
    assert rows_of(report, "without any cell") == [7]
    assert rows_of(report, "control characters") == [8]
    assert rows_of(report, "only a number") == [9]
    assert rows_of(report, "more cells") == [10]
    assert rows_of(report, "fewer cells") == [13]
    assert rows_of(report, "stands in the file before") == [12]
    assert rows_of(report, "HTML") == [2]
    assert rows_of(report, "no label") == [11]
    assert "'X' and 'x'" in report["found"].str.cat()
    # every row of the file is in the table or in the report
    reported = {row for rows in report["rows"] for row in rows}
    assert set(range(2, 15)) <= set(by_row) | reported


def test_a_column_that_is_not_there_is_named_with_the_closest(tmp_path):
    path = write(tmp_path / "t.csv", as_csv())
    with pytest.raises(ValueError, match="there is no column") as raised:
        load_texts(path, text="Text", label="thme")
    assert "'Text' (did you mean 'text'?)" in str(raised.value)
    assert "'thme' (did you mean 'theme'?)" in str(raised.value)
    assert "the columns are 'text', 'theme'" in str(raised.value)


def test_without_a_name_the_longest_texts_are_read_and_said_so(tmp_path):
    path = write(tmp_path / "t.csv", as_csv())
    table, report = load_texts(path)
    assert table["text"].tolist() == [text for text, _ in TABLE]
    assert "'text' was read" in report["done"].iloc[0]


@pytest.mark.parametrize(("name", "content", "sentence"), [
    ("t.csv", "", "is empty"),
    ("t.txt", "\n\n  \n", r"^t\.txt is empty"),
    ("t.csv", "text,label\n", "no rows below"),
    ("t.csv", "text,label\n,a\nNA,b\n", "'text' is empty in all 2 rows"),
    ("t.csv", "text,year\n1889,a\n1890,b\n", "does not hold texts.*'1889'"),
    ("t.json", '{"a": 1}', "not a table"),
    ("t.json", '[{"text": "a"}', "not JSON: .* line 1"),
    ("t.jsonl", "no\nno\n", "no line of JSON"),
    ("t.xlsx", "no", "cannot be read as Excel"),
    ("t.parquet", "no", "cannot be read as parquet"),
    ("t.pdf", "%PDF", "of a kind that is not read"),
])  # fmt: skip
def test_what_is_no_table_of_texts_ends_in_one_sentence(tmp_path, name, content, sentence):
    with pytest.raises(ValueError, match=sentence):
        load_texts(write(tmp_path / name, content), text="text")


@pytest.mark.parametrize("start", [
    *(signature.encode("latin-1") for signature in SIGNATURES),
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "Grüße, ein Null\0byte in UTF-8".encode(),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("name", ["t.txt", "t.csv", "t.json"])
def test_what_is_no_text_is_told_whatever_its_name(tmp_path, name, start):
    path = write(tmp_path / name, start + b"\x14\0\x06\0\x08\0\0\0!\0\xd9\xdc" * 9)
    with pytest.raises(ValueError, match="the file is a Word file, or another that is not"):
        load_texts(path)
    if name == "t.txt":
        with pytest.raises(ValueError, match=r"^t\.txt: the file is a Word file"):
            load_texts(tmp_path)


def test_the_page_refuses_what_the_package_refuses():
    source = (ROOT / "_static" / "explorer" / "read-texts.mjs").read_text("utf-8")
    (listed,) = re.findall(r"const SIGNATURES = (\[.*\]);", source)
    assert ast.literal_eval(listed) == SIGNATURES
    assert f'NO_TEXT = "{NO_TEXT}"' in source


def test_chinese_in_utf_16_without_a_mark_is_a_text():
    text = "床前明月光，疑是地上霜。\n举头望明月，低头思故乡。\n"
    for encoding in ("utf-16-le", "utf-16-be"):
        assert decode(text.encode(encoding))[0] == text


def test_of_a_text_file_its_name_is_not_the_text(tmp_path):
    table, report = load_texts(write(tmp_path / "a name longer than the text.txt", "Hope"))
    assert table["text"].tolist() == ["Hope"]
    assert report.empty  # that no column was named is nothing to tell


def test_a_path_with_nothing_and_a_folder_of_tables(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        load_texts(tmp_path / "none.csv")
    write(tmp_path / "t.csv", as_csv())
    with pytest.raises(ValueError, match=r"no text files.*did you mean the file t\.csv"):
        load_texts(tmp_path)


def test_a_quotation_mark_that_is_never_closed_swallows_no_row(tmp_path):
    path = write(tmp_path / "t.tsv", 'text\tlabel\n"Hope is the thing\ta\nwith feathers\tb\n')
    table, report = load_texts(path, "text", "label")
    assert table["text"].tolist() == ['"Hope is the thing', "with feathers"]
    assert "never closed" in report["found"].iloc[0]


LETTERS = [
    ("1838-01-12", "Agnes", "Dear Sam, the hens are laying, and I long for letters; write."),
    ("1838-01-22", "Agnes", "I have turned the grey silk, and it will do."),
    ("1838-02-03", "Samuel", "We marched to York; there is no pay, no beef, and no talk."),
    ("1838-02-09", "Josiah", "A thin house"),
]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_commas_in_texts_are_no_delimiter_even_without_names_of_columns(tmp_path, delimiter):
    lines = [delimiter.join([day, who, f'"{text}"']) for day, who, text in LETTERS]
    table, report = load_texts(write(tmp_path / "t.csv", "\n".join(lines)), LETTERS[0][2])
    assert table["text"].tolist() == [text for _, _, text in LETTERS[1:]]
    (found,) = report["found"]
    assert found.startswith("row 1 was taken for the names of the columns")
    assert "'1838-01-12'" in found  # what reads like data is named, and nothing else
    assert "'Agnes'" not in found


@pytest.mark.parametrize("name", ["1838", "3.5", "12/01/1838", "2021-03-04T10:00:00Z", "x" * 70,
                                  "one two three four five six seven eight nine"])  # fmt: skip
def test_a_name_that_reads_like_data_is_said(name):
    findings = []
    assert name_columns([name, "kind"], 2, findings) == [name, "kind"]
    assert [name[:40] in x.found for x in findings] == [True]


@pytest.mark.parametrize("names", [["text", "kind"], ["0", "1"], ["", "Date of the letter"],
                                   ["Q1", "answer to question 2"], [None, "詩"]])  # fmt: skip
def test_a_name_is_not_taken_for_data(names):
    findings = []
    name_columns(names, 2, findings)
    assert findings == []


@pytest.mark.parametrize(("content", "sentence"), [
    # more cells than names in most rows, or fewer: cut inside texts
    ("who;text\nA;b; c\nB;c; d; e\nC;d\n", "at semicolons.*row 1 with 2, 2 of 3 more cells"),
    ("1;a; b; c\n2;b\n3;c\n4;d, e\n", "row 1 with 4, 3 of 3 fewer cells.*sep=,"),
    ("sep=;\na,b\nc;d\ne;f\n", "row 1 with 1, 2 of 2 more cells"),
])  # fmt: skip
def test_rows_of_unequal_length_are_refused(tmp_path, content, sentence):
    with pytest.raises(ValueError, match=sentence):
        load_texts(write(tmp_path / "t.csv", content))


def test_one_column_may_hold_commas_without_quotation_marks(tmp_path):
    lines = ["Wild nights, wild nights", "Hope", "I'm nobody, who, are you", "A; b, c"]
    table, report = load_texts(write(tmp_path / "t.csv", "\n".join(["text", *lines])))
    assert table["text"].tolist() == lines
    assert report.empty


def test_a_delimiter_that_is_named_may_be_a_tab(tmp_path):
    path = write(tmp_path / "t.csv", "sep=\t\ntext\tkind\nA, b, c\tx\nD, e, f\ty\n")
    assert load_texts(path, "text", "kind").table["text"].tolist() == ["A, b, c", "D, e, f"]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "json", "txt"])
@pytest.mark.parametrize(("mark", "encoding"), [
    ("utf-8", None), ("utf-8", "utf-8"), ("utf-8", "cp1252"), ("utf-8", "utf-8-sig"),
    ("utf-16-le", "utf-16-le"), ("utf-16-le", None), ("cp1252", None),
])  # fmt: skip
def test_a_byte_order_mark_is_taken_off_whatever_the_encoding(
    tmp_path, ending, mark, encoding
):
    written = {"csv": "text;day\nCafé d'été;a\nGarçon;b\n", "txt": "Café d'été, le soir",
               "jsonl": '{"text": "Café d\'été"}\n{"text": "Garçon"}\n',
               "json": '[{"text": "Café d\'été"}]'}[ending]  # fmt: skip
    signs = "\ufeff".encode("utf-8" if mark == "cp1252" else mark)
    path = tmp_path / f"t.{ending}"
    path.write_bytes(signs + written.encode(mark))
    table, report = load_texts(path, "text")
    assert table["text"].iloc[0].startswith("Café d'été")
    if encoding:
        again = load_texts(path, "text", encoding=encoding).table
        assert again["text"].tolist() == table["text"].tolist()
    found = report["found"].iloc[0]
    name = "UTF-16" if mark == "utf-16-le" else "UTF-8"
    assert f"the byte order mark of {name}" in found
    assert ("not in UTF-8, and was taken to be in cp1252" in found) == (mark == "cp1252")


def test_a_mark_whose_encoding_does_not_follow_is_said(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xff\xfetext\n" + b"\x00\xdc\x00\xdc")
    with pytest.raises(ValueError, match=r"mark of UTF-16, but byte .* not in utf-16: name"):
        load_texts(path)


def test_a_novel_in_one_cell_and_broken_lines_of_json(tmp_path):
    novel = "Call me Ishmael. " * 20_000
    path = write(tmp_path / "t.csv", as_csv(rows=[(novel, "a")]))
    assert load_texts(path, "text")[0]["text"].iloc[0] == novel.strip()
    lines = ['{"text": "one"}', '{"text": ', '"three"', '{"text": "\\ud83d"}']
    path = write(tmp_path / "t.jsonl", "\n".join(lines))
    table, report = load_texts(path, "text")
    assert table["text"].tolist() == ["one", "three", "\ufffd"]
    assert rows_of(report, "not JSON") == [2]
    assert rows_of(report, "lone surrogate") == [4]


@pytest.mark.parametrize(("text", "encoding"), [
    ("text\nEs war ein schöner Tag, größer als üblich.\n", "cp1252"),
    ("text\nEs war ein schöner Tag, größer als üblich.\n", "mac_roman"),
    ("text\nL’été où naît l’œuvre: «garçon»\n", "cp1252"),
    ("text\nÜber\n", "cp1252"),
    ("text,label\n床前明月光，疑是地上霜。,a\n举头望明月，低头思故乡。,b\n", "gb18030"),
    ("text\n古池や蛙飛びこむ水の音\n夏草や兵どもが夢の跡\n", "shift_jis"),
    ("text\nМороз и солнце; день чудесный!\nЕще ты дремлешь, друг прелестный\n", "cp1251"),
])  # fmt: skip
def test_old_encodings_are_guessed_and_said(text, encoding):
    found, how = decode(text.encode(encoding))
    assert found == text
    assert "taken to be in" in how
    assert decode(text.encode(encoding), encoding) == (text, "")


def test_an_encoding_that_is_named_is_held_to():
    with pytest.raises(ValueError, match="unknown encoding 'utf-9'"):
        decode(b"a", "utf-9")
    with pytest.raises(ValueError, match="not in utf-8: byte 1 is 0xe9"):
        decode(b"a\xe9", "utf-8")


def test_cleaning_leaves_what_an_author_may_have_written():
    for text in ["a <3 b", "if a<b and c>d", "<unk> R&D AT&T; 5 > 3", "familia 👨‍👩‍👧 می‌خواهم",
                 "É» ÇÃO ÀÉ", "Ä Ö ß"]:  # fmt: skip
        assert clean(text) == (text, [])
    assert clean(" a&amp;b ", as_is=True) == (" a&amp;b ", [])
    assert clean("a\ud800b", as_is=True)[0] == "a\ufffdb"
    assert clean("One\vTwo\u2028Three") == (
        "One\nTwo\nThree",
        [("line ends of Windows, of old Macs or of Word", "turned into line feeds")],
    )
    assert clean("<style>p {}</style><p class='x'>One</p><p>Two</p>")[0] == "One\nTwo"


STORY = ("It was late. “Who goes?” cried Mr. Hyde!  Nobody said a word\nfor a while.\n\n\n"
         "Then silence; a very long silence, in which nothing at all happened to anyone.\n \n"
         "床前明月光。疑是地上霜。The end")  # fmt: skip


@pytest.mark.parametrize("unit", ["paragraph", "sentence", "token"])
@pytest.mark.parametrize(("size", "overlap"), [(6, 0), (6, 2), (25, 1), (500, 0)])
def test_a_passage_is_what_stands_at_its_place(encoder, unit, size, overlap):
    table = pd.DataFrame({"row": [7, 9], "text": [STORY, "One."], "label": ["a", "b"]})
    spans = token_spans(encoder.tokenizer)
    passages = cut_texts(table, unit, size, overlap, spans)
    sources = dict(zip(table["row"], table["text"], strict=True))
    for x in passages.itertuples():
        assert x.text == sources[x.row][x.start : x.end]
        assert x.text == x.text.strip()
        assert 1 <= len(spans(x.text)) <= size
    assert passages.loc[passages["row"] == 9, "text"].tolist() == ["One."]
    # nothing is lost: every letter of the story is in a passage
    covered = {i for x in passages[passages["row"] == 7].itertuples() for i in
               range(x.start, x.end)}  # fmt: skip
    assert [c for i, c in enumerate(STORY) if not c.isspace() and i not in covered] == []
    if overlap == 0:
        assert len(covered) == sum(
            x.end - x.start for x in passages[passages["row"] == 7].itertuples()
        )


def test_sentences_are_cut_where_they_end():
    found = [STORY[a:b] for a, b in sentence_spans(STORY)]
    assert found == [
        "It was late.", "“Who goes?”", "cried Mr. Hyde!",
        "Nobody said a word\nfor a while.",
        "Then silence; a very long silence, in which nothing at all happened to anyone.",
        "床前明月光。", "疑是地上霜。", "The end",
    ]  # fmt: skip


def test_tokens_are_found_in_a_text_of_any_length_without_a_warning(encoder):
    """That a text is longer than the model reads is why it is cut."""
    tokenizer = copy.deepcopy(encoder.tokenizer)
    tokenizer.deprecation_warnings.clear()
    spans = token_spans(tokenizer)("hope " * 3_000)
    assert spans[0] == (0, 4)
    assert spans[-1] == (14_995, 14_999)
    assert len(spans) == 3_000
    assert tokenizer.deprecation_warnings == {}


@pytest.mark.parametrize(("size", "overlap"), [(0, 0), (3, -1)])
def test_a_passage_of_nothing_is_none(size, overlap):
    told = f"a passage of {size} tokens with an overlap of {overlap} is none"
    with pytest.raises(ValueError, match=told):
        cut_texts(pd.DataFrame({"text": ["one two"]}), "sentence", size, overlap)


def test_a_long_list_of_names_is_cut_after_twelve():
    assert listed(list("abcdefghijkl")).endswith("'k', 'l'")
    assert listed(list("abcdefghijklmn")).endswith("'l' and 2 more")


def test_passages_overlap_by_whole_sentences():
    table = pd.DataFrame({"text": ["One two. Three four. Five six. Seven eight."]})
    passages = cut_texts(table, "sentence", 6, 1)
    assert passages["text"].tolist() == [
        "One two. Three four.", "Three four. Five six.", "Five six. Seven eight.",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="choose a smaller overlap"):
        cut_texts(table, "token", 3, 3)
    with pytest.raises(ValueError, match="unknown unit 'chapter'"):
        cut_texts(table, "chapter")


def test_a_line_ends_where_python_says():
    for sign in [*map(chr, range(0x3000)), "\r\n", "\n\r"]:
        assert LINE_BREAK.split(f"a{sign}b") == f"a{sign}b".splitlines()
