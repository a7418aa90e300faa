"""Contrast, names and roles, in light and in dark."""

import os
import time
from pathlib import Path

MIN_CONTRAST = 4.5
MIN_CONTRAST_OF_SHAPES = 3

COLOURS = """
const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const rgba = (color) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = color;
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const luminance = (color) => {
  const [r, g, b] = color.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const color = rgba(getComputedStyle(at).backgroundColor);
    if (color[3] === 255) return color;
  }
  return [255, 255, 255, 255];
};
const contrast = (one, other) => {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
};
"""

# The contrast of every visible text with its background.
CONTRASTS = COLOURS + """
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (walker.currentNode.data.trim() === "" || !element.checkVisibility() || element.closest(".visually-hidden, option")) continue;
  const style = getComputedStyle(element);
  const color = element instanceof SVGElement ? style.fill : style.color;
  found.push({ text: walker.currentNode.data.trim().slice(0, 40), contrast: contrast(rgba(color), behind(element)) });
}
return found;
"""

# The shapes, each a selector, with too little contrast with their surroundings.
WEAK_SHAPES = f"""((selectors, least) => {{
{COLOURS}
return selectors.flatMap((selector) => {{
  const [owner, part] = selector.split("::");
  const elements = all(owner);
  if (elements.length === 0) return [`${{selector}} is missing`];
  return elements.map((element) => {{
    const style = getComputedStyle(element, part && `::${{part}}`);
    const color = element instanceof SVGElement ? style.fill : element.matches("input, select") ? style.borderTopColor : style.backgroundColor;
    // The background of a pseudo-element is its element.
    return {{ selector, color, contrast: contrast(rgba(color), behind(part ? element : element.parentElement)) }};
  }}).filter(({{ contrast }}) => contrast < least);
}});
}})(...args)"""


def every_text_has_enough_contrast(browser, sandbox):
    _send_one_of_everything(sandbox)
    lowest, texts = 21, 0
    for dark in (False, True):
        browser.media(dark=dark)
        browser.open_page(sandbox.url)
        browser.has_rows(5)
        for number in (2, 3):
            browser.open_row(number)
        seen = browser.run(CONTRASTS)
        browser.click(".chip[data-outcome=refused]")
        browser.click(".chip[data-outcome=duplicate]")
        browser.shows(".row .badge", "Refused", "Duplicate")
        seen += browser.run(CONTRASTS)
        for tab, there in (("contacts", "#panel-contacts td"), ("catalogue", ".entry"), ("faults", ".active-faults tr[data-fault]")):
            browser.click(f"#tab-{tab}")
            browser.wait_for("shown(args[0])", there)
            seen += browser.run(CONTRASTS)
        browser.press("?")
        browser.wait_for("shown('#help')")
        seen += browser.run(CONTRASTS)
        weak = [text for text in seen if text["contrast"] < MIN_CONTRAST]
        assert weak == [], f"{'dark' if dark else 'light'}: {weak}"
        lowest = min(lowest, *(text["contrast"] for text in seen))
        texts += len(seen)
    return f"{texts} texts, the lowest contrast is {lowest:.2f}"


def every_control_has_a_name_and_every_id_is_one(browser, sandbox):
    _send_one_of_everything(sandbox)
    browser.size(1280, 4000)
    browser.has_rows(5)
    for place in range(5):
        browser.open_row(place)
    for tab, there in (("events", ".detail"), ("contacts", "#panel-contacts td"), ("catalogue", ".entry"), ("faults", ".active-faults tr[data-fault]")):
        browser.click(f"#tab-{tab}")
        browser.wait_for("shown(args[0])", there)
        controls = browser.run(
            """return all("button, input, select, [role=meter], [role=feed], [role=tabpanel], article, svg")
              .filter((element) => element.checkVisibility())
              .map((element) => [element.ariaLabel || element.ariaLabelledByElements?.map((label) => label.innerText).join() || element.closest("label")?.innerText || element.innerText, element.outerHTML]);"""
        )
        assert len(controls) > 8, controls
        nameless = [element for name, element in controls if not (name or "").strip()]
        assert nameless == [], nameless
    browser.becomes("all('[id]').map((element) => element.id).filter((id, place, ids) => ids.indexOf(id) !== place)", [])
    browser.becomes("all('.row').map((row) => [row.ariaPosInSet, row.ariaSetSize])", [[str(place), "5"] for place in range(1, 6)])


def every_shape_has_enough_contrast(browser, sandbox):
    _send_one_of_everything(sandbox)
    for dark in (False, True):
        browser.media(dark=dark)
        browser.open_page(sandbox.url)
        browser.has_rows(5)
        weak = browser.wait_for(WEAK_SHAPES, ["#chart path", ".chip::before", ".toolbar input", ".budget .fill"], MIN_CONTRAST_OF_SHAPES)
        assert weak == [], f"{'dark' if dark else 'light'}: {weak}"
        browser.click("#tab-faults")
        browser.click("#switch-hang")
        browser.wait_for("one('#switch-hang').ariaChecked === 'true'")
        weak = browser.wait_for(WEAK_SHAPES, ["[role=switch]", "[role=switch]::after", ".switch input", ".switch select"], MIN_CONTRAST_OF_SHAPES)
        assert weak == [], f"{'dark' if dark else 'light'}: {weak}"
        browser.click("#switch-hang")
        browser.wait_for("one('#switch-hang').ariaChecked === 'false'")


def reduced_motion_stops_animations(browser, sandbox):
    browser.media(still=True)
    browser.open_page(sandbox.url, "#faults")
    browser.wait_for("shown('.switch')")
    browser.becomes("all('*').flatMap((element) => ['', '::before', '::after'].map((part) => getComputedStyle(element, part))).filter((style) => style.animationName !== 'none' || parseFloat(style.transitionDuration) > 0).length", 0)


def new_requests_are_announced_every_ten_seconds(browser, sandbox):
    browser.run(
        """window.announced = [];
        new MutationObserver(() => announced.push({ text: text("#live"), at: performance.now() })).observe(one("#live"), { childList: true });"""
    )
    sandbox.send("one")
    browser.becomes("announced.map(({ text }) => text)", ["1 request"])
    for second in range(20):
        sandbox.send("one", created_at=second)
        browser.reads("[data-outcome=accepted] b", str(second + 2))
    browser.becomes("announced.map(({ text }) => text)", ["1 request", "21 requests"])
    browser.wait_for("announced[1].at - announced[0].at > 9_000")
    # No other element announces its changes.
    browser.becomes("all('[aria-live], [role=status], [role=alert], [role=log]').map((element) => element.id)", ["connection", "notice", "contacts-error", "live"])


def the_result_of_a_filter_is_announced(browser, sandbox):
    sandbox.send("one")
    sandbox.send("two")
    browser.has_rows(2)
    browser.type("#filter-name", "one")
    browser.becomes("text('#live')", "1 of 2")


def axe_finds_nothing(browser, sandbox):
    axe = Path(os.environ["AXE"]).read_text(encoding="utf-8")
    passes, violations = 0, []

    def look(about):
        nonlocal passes
        found = browser.asks("axe.run(document, { resultTypes: ['violations'] }).then(done, (error) => done({ error: String(error) }))")
        assert "error" not in found, found
        told = [(each["id"], each["help"], [node["html"][:200] for node in each["nodes"][:3]]) for each in found["violations"]]
        violations.extend((about, *one) for one in told)
        passes += len(found["passes"])

    for dark in (False, True):
        about = "dark" if dark else "light"
        browser.media(dark=dark)
        browser.open_page(sandbox.url)
        browser.run(axe)
        if not dark:
            browser.wait_for("shown('#nothing')")
            look(f"{about}, empty")
            _send_one_of_everything(sandbox)
        browser.has_rows(5)
        look(f"{about}, a list")
        for number in range(5):
            browser.open_row(number)
            look(f"{about}, row {number} open")
        browser.type("#filter-name", "no such event")
        browser.wait_for("shown('#no-match')")
        look(f"{about}, no match")
        for tab, there in (("contacts", "#panel-contacts td"), ("catalogue", ".entry"), ("faults", ".active-faults tr[data-fault]")):
            browser.click(f"#tab-{tab}")
            browser.wait_for("shown(args[0])", there)
            look(f"{about}, {tab}")
        browser.press("?")
        browser.wait_for("shown('#help')")
        look(f"{about}, help")
        browser.press("Escape")
    assert violations == [], "\n".join(map(str, violations))
    return f"{passes} rules passed"


def _send_one_of_everything(sandbox):
    sandbox.send("accepted", created_at=1, metadata={"a": "text", "b_date": 1_800_000_000, "c": "https://example.com/"})
    sandbox.send("accepted", created_at=1, metadata={f"k{number}": number for number in range(22)})
    sandbox.send("refused", created_at=int(time.time()) * 1000)
    sandbox.admin("POST", "/faults", {"fault": "503 for next 1"})
    sandbox.send("faulted")
    with sandbox.client() as client:
        client.request("GET", "/me")
    sandbox.admin("POST", "/faults", {"fault": "delay 1ms on contacts"})
