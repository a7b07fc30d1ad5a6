"""Take the picture for the README: the book on a desk in the light, on a telephone in the dark.

    python -m tools.site.picture
"""

import io
import sys
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from tools.desk import ROOT, run_command, say
from tools.site.browser import BROWSER_OPTIONS, CHROMIUM
from tools.site.serve import SITE, check_site, served

Theme = Literal["light", "dark"]
PICTURE = ROOT / ".github" / "picture.png"


def take(browser: Browser, url: str, width: int, height: int, theme: Theme) -> Image.Image:
    """Open a page in a window of some size; return what is to be seen."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, device_scale_factor=1.5
    )
    page = context.new_page()
    page.goto(url, wait_until="networkidle")
    picture = page.screenshot()
    context.close()
    return Image.open(io.BytesIO(picture)).convert("RGB")


def take_both() -> None:
    """Take both, put one over the other, keep them small."""
    check_site(SITE)
    with served(SITE) as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=BROWSER_OPTIONS)
        desk = take(browser, f"{site}index.html", 1180, 760, "light")
        chapter = f"{site}chapters/context.html"
        telephone = take(browser, chapter, 320, 620, "dark")
        browser.close()
    edge = 9
    sheet = Image.new("RGB", (desk.width + 310, desk.height + 60), "#e9e4d8")
    sheet.paste(desk, (30, 30))
    frame = (telephone.width + 2 * edge, telephone.height + 2 * edge)
    place = (sheet.width - frame[0] - 24, sheet.height - frame[1] - 24)
    sheet.paste(Image.new("RGB", frame, "#3a3833"), place)
    sheet.paste(telephone, (place[0] + edge, place[1] + edge))
    sheet.quantize(128, dither=Image.Dither.NONE).save(PICTURE, optimize=True)
    say(f"{PICTURE}: {PICTURE.stat().st_size / 1000:.0f} kB")


def main() -> int:
    """Take the picture; return the exit status."""
    return run_command(take_both)


if __name__ == "__main__":
    sys.exit(main())
