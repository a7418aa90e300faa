"""The chart of requests a second, and the rate-limit budget."""

import time

OPTIONS = ["--know-everybody", "--rate-limit", "10"]
OUTCOMES = ["accepted", "duplicate", "refused", "faulted", "served"]

# The total height of the bars of each outcome.
HEIGHTS = """Object.fromEntries(all("#chart path").map((path) => [path.dataset.outcome,
  [...path.getAttribute("d").matchAll(/M\\S+ (\\S+)V(\\S+)h/g)].reduce((sum, [, bottom, top]) => sum + bottom - top, 0)]))"""

# In the page, because a bar moves each second.
POINT_AT_THE_LAST_BAR = """one("#chart").dispatchEvent(new PointerEvent("pointermove", {
  clientX: one("#chart").getBoundingClientRect().left + Number(/.*M(\\S+) /.exec(one("#chart path[data-outcome=accepted]").getAttribute("d"))[1]) + 1,
}))"""


def the_chart_shows_every_outcome(browser, sandbox):
    _one_of_each(sandbox)
    _is_charted(browser)
    # The chart has the requests from before the page.
    browser.open_page(sandbox.url)
    _is_charted(browser)


def clearing_keeps_the_chart(browser, sandbox):
    _one_of_each(sandbox)
    _is_charted(browser)
    browser.click("#clear")
    browser.has_rows(0)
    _is_charted(browser)


def pointing_at_a_second_shows_its_counts(browser, sandbox):
    _one_of_each(sandbox)
    _is_charted(browser)
    browser.wait_for(f"({POINT_AT_THE_LAST_BAR}, /^\\d\\d:\\d\\d:\\d\\d · \\d+ accepted/.test(text('#chart-readout')))")
    browser.wait_for("one('#chart .cursor')")
    browser.run("one('#chart').dispatchEvent(new PointerEvent('pointerleave'))")
    browser.wait_for("/^peak \\d+$/.test(text('#chart-readout'))")
    browser.wait_for("!one('#chart .cursor')")


def the_budget_falls_and_resets(browser, sandbox):
    browser.tells("#budget", "10 of 10 left", "per window of 10 s")
    # More than the limit of two windows.
    statuses = [sandbox.send("one", created_at=second) for second in range(21)]
    assert 429 in statuses, statuses
    # In one expression, because the window resets.
    browser.becomes(
        """[one("#budget").dataset.level, text("#budget").replace(/\\d+ s$/, "… s"), one(".budget .fill").clientWidth, one("[role=meter]").ariaValueNow]""",
        ["spent", "Rate-limit budget\n\n0 of 10 left\n\nresets in … s", 0, "0"],
    )
    browser.tells("#budget", "10 of 10 left")
    browser.becomes("one('#budget').dataset.level", "")
    browser.becomes("one('.budget .fill').clientWidth === one('.budget .track').clientWidth", True)


def _one_of_each(sandbox):
    sandbox.send("one", created_at=1)
    sandbox.send("one", created_at=1)
    sandbox.send("one", created_at=int(time.time()) * 1000)
    sandbox.admin("POST", "/faults", {"fault": "503 for next 1"})
    sandbox.send("one", created_at=2)
    with sandbox.client() as client:
        client.request("GET", "/me")


def _is_charted(browser):
    browser.wait_for(f"(({{ ...heights }}) => args[0].every((outcome) => heights[outcome] > 1 && Math.abs(heights[outcome] - heights.accepted) < 1))({HEIGHTS})", OUTCOMES)
    browser.wait_for("one('#chart').getAttribute('aria-label').startsWith('5 requests in the last three minutes, at most ')")
