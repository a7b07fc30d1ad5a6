"""The explorers in unusual places: long lines, links, no network, no server, other scripts."""

import base64
import hashlib
import json
import re
import shutil
from urllib.parse import parse_qsl

import numpy as np
import pytest
from explorer_pages import (
    open_page,
    place,
    run_own,
    set_slider,
    status,
    text_of,
)

pytest_plugins = ("explorer_fixtures",)

OWN = "document.querySelector('attention-explorer').own"
POEM = "The brain is wider than the sky, for, put them side by side, "


@pytest.fixture
def slow(context, explorer_site, altered):
    """The attention explorer in a browser that has to take the loops: a long line is slow."""
    assets = altered("loops", "manifest.json", lambda manifest: manifest.update(kernel=""))
    body = place("attention-explorer", f"assets='{assets}'")
    address = explorer_site.page("loops.html", body)
    return open_page(context, address, "attention-explorer")


def finish(page):
    page.wait_for_selector("attention-explorer .status:has-text('tokens in')", timeout=60_000)


def focused(page):
    return page.evaluate("document.activeElement.shadowRoot?.activeElement?.textContent ?? ''")


# ---------------------------------------------------------------- long lines


def test_a_long_line_tells_how_far_it_is(slow):
    run_own(slow, "snow")
    finish(slow)
    assert "plain loops" in status(slow).text_content()
    slow.evaluate(
        f"""() => {{
          window.seen = [];
          const {{ progress }} = {OWN};
          new MutationObserver(() => window.seen.push([progress.value, progress.max]))
            .observe(progress, {{ attributes: true }});
        }}"""
    )
    run_own(slow, POEM * 20)
    shown = "attention-explorer figcaption:has-text('The brain')"
    slow.wait_for_selector(shown, timeout=60_000)
    done = [value for value, most in slow.evaluate("window.seen") if most == 6]
    assert done == sorted(done)
    assert set(done) >= {2, 3, 4, 5}
    assert not slow.locator("attention-explorer progress").is_visible()


def test_a_long_line_can_be_cancelled_and_the_focus_stays(slow):
    run_own(slow, "snow")
    finish(slow)
    before = text_of(slow, "figcaption")
    run_own(slow, POEM * 25)
    cancel = slow.get_by_role("button", name="Cancel")
    cancel.wait_for()
    cancel.focus()
    slow.keyboard.press("Enter")
    slow.wait_for_selector("attention-explorer .status:has-text('Cancelled')")
    assert focused(slow) == "Run"
    assert text_of(slow, "figcaption") == before
    picture = slow.locator("attention-explorer .picture")
    assert picture.get_attribute("aria-busy") == "false"
    # It was stopped, not only hidden: a short line does not wait for the rest of it.
    run_own(slow, "grass")
    slow.wait_for_selector("attention-explorer figcaption:has-text('grass')", timeout=15_000)


def test_cancelling_the_download_keeps_the_focus(attention, explorer_site):
    explorer_site.server.faults["weights.bin"] = "slow"
    run_own(attention, "snow")
    cancel = attention.get_by_role("button", name="Cancel")
    cancel.wait_for()
    cancel.focus()
    attention.keyboard.press("Enter")
    attention.wait_for_selector("attention-explorer .status:has-text('Cancelled')")
    assert "Load the model" in focused(attention)


def test_progress_counts_every_byte(attention, explorer_assets):
    attention.evaluate(
        f"""() => {{
          window.seen = [];
          const load = {OWN}.model.load.bind({OWN}.model);
          {OWN}.model.load = (tell) => load((n) => {{ window.seen.push(n); tell(n); }});
        }}"""
    )
    run_own(attention, "snow")
    finish(attention)
    parts = ["vocab.txt", "weights.bin"]
    total = sum((explorer_assets / name).stat().st_size for name in parts)
    seen = attention.evaluate("window.seen")
    assert seen == sorted(seen)
    assert seen[0] <= (explorer_assets / "vocab.txt").stat().st_size
    assert seen[-1] == total == attention.evaluate(f"{OWN}.n_bytes")


@pytest.fixture
def long_line(attention):
    run_own(attention, POEM * 12)
    finish(attention)
    attention.locator("attention-explorer .picture").scroll_into_view_if_needed()
    return attention


def test_a_long_map_is_seen_through_a_window(long_line):
    """Scrolled, other cells stand in the same place, and they are the right ones."""
    box = long_line.locator("attention-explorer .map")
    assert box.evaluate("(box) => box.scrollHeight > 3 * box.clientHeight")
    cells = """(e) => {
      const { margin, cell, left, top, width } = e.map;
      const pen = e.canvas.getContext("2d");
      const found = [];
      for (let i = Math.ceil(top / cell); (i + 1) * cell < top + width; i++)
        for (let j = Math.ceil(left / cell); (j + 1) * cell < left + width; j++) {
          const [x, y] = [margin + (j + 0.45) * cell - left, margin + (i + 0.45) * cell - top];
          const shade = pen.getImageData(x, y, 1, 1).data[3] / 255;
          found.push([i, j, shade, e.weight(i, j) / e.largest]);
        }
      return found;
    }"""
    explorer = long_line.locator("attention-explorer")
    first = np.array(explorer.evaluate(cells))
    box.evaluate("(box) => { box.scrollTop = 900; box.scrollLeft = 700; }")
    long_line.wait_for_function("document.querySelector('attention-explorer').map.top === 900")
    second = np.array(explorer.evaluate(cells))
    for found in [first, second]:
        np.testing.assert_allclose(found[:, 2], found[:, 3], atol=0.02)
    assert second[:, 0].min() > first[:, 0].max()
    assert second[:, 1].min() > first[:, 1].max()
    # The labels are part of the canvas, which stays where it was.
    places = explorer.evaluate(
        "(e) => [e.canvas, e.mapBox].map((x) => x.getBoundingClientRect().top)"
    )
    assert places[0] == pytest.approx(places[1], abs=1)
    # A click marks the row under the pointer, and the arcs follow it.
    place_of_row = "(e) => e.map.margin + 80.5 * e.map.cell - e.map.top"
    box.click(position={"x": 250, "y": explorer.evaluate(place_of_row)})
    assert explorer.evaluate("(e) => e.chosen") == 80
    pressed = long_line.locator("attention-explorer .from button[aria-pressed='true']")
    window = long_line.locator("attention-explorer .arcs").bounding_box()
    assert window["y"] <= pressed.bounding_box()["y"] < window["y"] + window["height"]


def test_arcs_stand_beside_their_targets(long_line):
    explorer = long_line.locator("attention-explorer")
    explorer.evaluate("(e) => e.chooseToken(70)")
    shown = explorer.evaluate(
        """(e) => {
          const items = [...e.shadowRoot.querySelectorAll(".to li")];
          const window = e.shadowRoot.querySelector(".arcs").getBoundingClientRect();
          const inside = items.map((item) => item.getBoundingClientRect())
            .every(({ top, bottom }) => top >= window.top - 1 && bottom <= window.bottom + 1);
          const row = e.shown.map((to) => e.weight(70, to));
          const read = (item, part) => Number(item.querySelector(part).textContent);
          return { inside, row, places: items.map((item) => read(item, ".place")),
            weights: items.map((item) => read(item, ".weight")) };
        }"""
    )
    row = np.array(shown["row"])
    assert shown["inside"]
    assert shown["places"] == sorted(np.argsort(-row, kind="stable")[:12].tolist())
    np.testing.assert_allclose(shown["weights"], row[shown["places"]], atol=0.0051)


# ---------------------------------------------------------------- links


def link_of(page, element):
    return page.locator(f"{element} a", has_text="Link to what is shown").get_attribute("href")


def test_a_link_brings_back_layer_head_and_line(attention, context, pages):
    attention.locator("#line").select_option("3")
    set_slider(attention, "layer", 5)
    set_slider(attention, "head", 7)
    attention.get_by_label("show [CLS] and [SEP]").uncheck()
    link = link_of(attention, "attention-explorer")
    assert link.startswith("#attention-explorer:")
    state = dict(parse_qsl(link.partition(":")[2]))
    assert state["line"] == "The soul selects her own society,"
    other = open_page(context, pages["attention-explorer"] + link, "attention-explorer")
    assert "Layer 5, head 7: The soul selects" in text_of(other, "figcaption")
    assert not other.get_by_label("show [CLS] and [SEP]").is_checked()
    assert other.locator("#layer").input_value() == "5"
    # A link within the page works too, and nonsense in it changes nothing.
    other.evaluate("location.hash = '#attention-explorer:layer=2&head=99&line='")
    other.wait_for_function("document.querySelector('attention-explorer').layer === 2")
    assert "Layer 2, head 7: The soul selects" in text_of(other, "figcaption")
    assert other.problems == []


def test_a_link_with_a_line_of_ones_own_waits_for_the_model(attention, context, pages):
    run_own(attention, "Hope is a strange <b>invention</b> & more")
    finish(attention)
    link = link_of(attention, "attention-explorer")
    other = context.browser.new_context()
    page = open_page(other, pages["attention-explorer"] + link, "attention-explorer")
    assert "run it to see" in text_of(page, ".no-picture")
    assert page.locator("#own").input_value() == "Hope is a strange <b>invention</b> & more"
    page.locator("attention-explorer button.action").click()
    finish(page)
    assert "strange <b>invention</b> & more" in text_of(page, "figcaption")
    other.close()


def test_a_link_brings_back_poem_and_measure(context, pages):
    page = open_page(context, pages["drift-explorer"], "drift-explorer")
    page.get_by_label("Poem", exact=True).select_option("3")
    page.get_by_label("Compare with").select_option("1")
    page.get_by_label("What is compared").select_option("same poem, centred")
    set_slider(page, "layer", 2)
    other = open_page(
        context, pages["drift-explorer"] + link_of(page, "drift-explorer"), "drift-explorer"
    )
    state = "(e) => [e.chosen, e.other, e.layer, e.measure.name]"
    assert other.locator("drift-explorer").evaluate(state) == [3, 1, 2, "same poem, centred"]
    assert other.get_by_label("What is compared").input_value() == "same poem, centred"


def test_a_link_brings_back_the_tokens(context, pages):
    page = open_page(context, pages["token-explorer"], "token-explorer")
    page.get_by_label("Text", exact=True).fill("snow & ice = 100% 雪")
    page.get_by_label("truncate").check()
    page.get_by_label("max_length").fill("9")
    other = open_page(
        context, pages["token-explorer"] + link_of(page, "token-explorer"), "token-explorer"
    )
    assert other.get_by_label("Text", exact=True).input_value() == "snow & ice = 100% 雪"
    call = other.locator("token-explorer .call").text_content()
    assert call.endswith("truncation=True, max_length=9)")


def test_other_anchors_are_left_alone(context, explorer_site):
    body = place("attention-explorer")
    body += "<div style='height: 3000px'></div><h2 id='end'>End</h2>"
    address = explorer_site.page("anchors.html", body)
    page = open_page(context, f"{address}#end", "attention-explorer")
    assert page.evaluate("location.hash") == "#end"
    set_slider(page, "layer", 4)
    assert page.evaluate("location.hash") == "#end"
    assert page.evaluate("scrollY") > 1000


# ---------------------------------------------------------------- right to left


def test_tokens_from_right_to_left_stay_by_themselves(attention):
    run_own(attention, "قفا نبك من ذكرى")
    finish(attention)
    attention.locator("attention-explorer .from button").nth(1).click()
    reading = attention.locator("attention-explorer .reading")
    pieces = reading.locator("bdi")
    tokens = pieces.all_text_contents()
    assert len(tokens) == 4
    assert any("\u0600" < token[-1] < "\u0700" for token in tokens)
    order = [pieces.nth(i).bounding_box()["x"] for i in range(4)]
    assert order == sorted(order)  # read from left to right, as the sentence is
    number = r"0\.\d\d"
    said = rf".+ attends to .+ {number}, .+ {number}, .+ {number}"
    assert re.fullmatch(said, reading.text_content())
    for list_name in [".from", ".to"]:
        found = attention.locator(f"attention-explorer {list_name} .piece").evaluate_all(
            "(pieces) => pieces.map((piece) =>"
            " [piece.localName, getComputedStyle(piece).unicodeBidi])"
        )
        assert {tuple(each) for each in found} == {("bdi", "isolate")}


# ---------------------------------------------------------------- without a network


def test_what_is_kept_runs_without_a_network(attention, context, explorer_site):
    run_own(attention, "snow")
    finish(attention)
    context.route("**/assets/*", lambda route: route.abort())
    explorer_site.server.asked.clear()
    attention.reload()
    attention.wait_for_selector("attention-explorer[state='ready']")
    assert "kept the model" in status(attention).text_content()
    run_own(attention, "I dwell in possibility")
    finish(attention)
    assert "I dwell in possibility" in text_of(attention, "figcaption")
    assert not [path for path in explorer_site.server.asked if "/assets/" in path]


def test_what_is_not_kept_says_why_it_does_not_run(attention, context):
    context.route("**/weights.bin*", lambda route: route.abort())
    run_own(attention, "snow")
    attention.wait_for_selector("attention-explorer .status.error")
    said = status(attention).text_content()
    assert "weights.bin cannot be reached, and this browser has not kept it" in said
    context.route("**/assets/*", lambda route: route.abort())
    attention.evaluate("caches.delete('layerwise-explorers')")
    attention.reload()
    attention.wait_for_selector("attention-explorer[state='unavailable']")
    said = text_of(attention, ".note")
    assert "cannot be reached, and an earlier visit has not kept it" in said


def test_a_browser_that_cannot_keep_says_so(context, pages):
    context.add_init_script("Object.defineProperty(window, 'caches', { value: undefined })")
    page = open_page(context, pages["attention-explorer"], "attention-explorer")
    assert "cannot keep it" in status(page).text_content()


# ---------------------------------------------------------------- from a file


def test_from_a_file_what_was_computed_is_there(context, from_file, explorer_assets):
    page = open_page(context, from_file, "drift-explorer")
    for element in ["token-explorer", "attention-explorer"]:
        page.wait_for_selector(f"{element}[state='ready']")
    examples = json.loads((explorer_assets / "examples.json").read_text("utf-8"))["examples"]
    tokens = page.locator("attention-explorer .from button").all_text_contents()
    assert tokens == examples[0]["tokens"]
    page.get_by_label("Text", exact=True).fill("gossamer")
    assert "go ##ssa ##mer" in page.locator("token-explorer .notes").text_content()
    assert page.locator("drift-explorer circle").count() >= 36
    note = page.locator("attention-explorer .note").first.text_content()
    assert "needs a server" in note
    assert "nox -s serve" in note
    assert page.locator("#own").count() == 0
    assert page.problems == []


def test_from_a_file_without_its_script_the_text_is_there(context, from_file, tmp_path):
    folder = tmp_path / "site"
    shutil.copytree(from_file.removeprefix("file://").rsplit("/", 1)[0], folder)
    (folder / "explorer" / "assets" / "from-file.js").unlink()
    page = context.new_page()
    page.goto((folder / "index.html").as_uri())
    page.wait_for_selector("drift-explorer[state='unavailable']")
    assert page.locator(".fallback").first.is_visible()


# ---------------------------------------------------------------- one encoding, any comparison


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_paper_and_most_is_the_one_colour(theme, attention):
    attention.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
    attention.wait_for_timeout(100)
    found = attention.locator("attention-explorer").evaluate(
        """(e) => {
          const { margin, cell, n } = e.map;
          const pen = e.canvas.getContext("2d");
          const all = [];
          for (let i = 0; i < n; i++)
            for (let j = 0; j < n; j++) all.push([e.weight(i, j), i, j]);
          all.sort((a, b) => a[0] - b[0]);
          const middle = (i) => margin + (i + 0.5) * cell;
          const at = ([, i, j]) => [...pen.getImageData(middle(j), middle(i), 1, 1).data];
          const probe = document.createElement("i");
          probe.style.color = "var(--ex-most)";
          e.shadowRoot.append(probe);
          const most = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
          return { least: at(all[0]), largest: at(all.at(-1)), most };
        }"""
    )
    assert found["least"][3] <= 2  # nothing is laid on the paper
    assert found["largest"][3] >= 254
    np.testing.assert_allclose(found["largest"][:3], found["most"], atol=2)


def test_any_comparison_in_the_data_is_drawn(context, explorer_site, altered, explorer_assets):
    """As the build adds one, the explorer offers it and draws its line, with its dash."""

    def add(drift):
        falling = np.repeat(np.linspace(60_000, 40_000, drift["n_layers"]), len(drift["poems"]))
        values = falling.astype("<u2").tobytes()
        drift["comparisons"].append(
            {
                "name": "same poem, mirrored", "label": "the poem itself, after one mirroring",
                "explained": "What a common change of coordinates explains.", "group": "plain",
                "dash": "dotted", "values": base64.b64encode(values).decode(),
            }
        )  # fmt: skip

    assets = altered("mirrored", "drift.json", add)
    folder = explorer_site.root / "mirrored"
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    data = (folder / "drift.json").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    manifest["drift"] |= {"bytes": len(data), "sha256": digest}
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    address = explorer_site.page("mirrored.html", place("drift-explorer", f"assets='{assets}'"))
    page = open_page(context, address, "drift-explorer")
    line = page.locator("drift-explorer polyline[data-name='same poem, mirrored']")
    assert line.get_attribute("stroke-dasharray") == "1.5 4"
    explorer = page.locator("drift-explorer")
    points = [pair.split(",") for pair in line.get_attribute("points").split()]
    drawn = [float(y) for _, y in points]
    cosines = np.linspace(60_000, 40_000, 6).astype(int) / 65_535 * 2 - 1
    heights = "(e, values) => values.map((value) => e.plot.y(value))"
    expected = explorer.evaluate(heights, cosines.tolist())
    np.testing.assert_allclose(drawn, expected, atol=0.1)
    assert "after one mirroring" in page.locator("drift-explorer .legend").text_content()
    page.get_by_label("What is compared").select_option("same poem, mirrored")
    assert "common change" in page.locator("drift-explorer .explained").text_content()
    page.get_by_label("What is compared").select_option("same poem, centred")
    assert line.count() == 0  # of another group: not to be read beside the centred ones


def test_numbers_have_one_style_and_stand_to_the_right(context, pages):
    page = open_page(context, pages["drift-explorer"], "drift-explorer")
    shown = page.evaluate(
        """async () => {
          const { share } = await import("/explorer/shared.mjs");
          return [share(0.174), share(-0.016), share(-0.001), share(1), share(0.5, 3)];
        }"""
    )
    assert shown == ["0.17", "−0.02", "0.00", "1.00", "0.500"]
    page.get_by_label("What is compared").select_option("other poem, centred")
    page.locator("drift-explorer summary", has_text="as a table").click()
    cells = page.locator("drift-explorer td")
    cells.first.wait_for()  # drawn when the browser tells of the opening, a moment later
    texts = cells.all_text_contents()
    assert all(re.fullmatch(r"−?[01]\.\d\d", text) for text in texts)
    assert any(text.startswith("−") for text in texts)
    align = "(cells) => cells.map((cell) => getComputedStyle(cell).textAlign)"
    assert set(cells.evaluate_all(align)) == {"right"}
