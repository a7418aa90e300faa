"""Whether the sandbox is still there."""

from checks.strip import POINT_AT_THE_LAST_BAR
from line import Line
from sandbox import Sandbox

# What the browser complains of when nobody answers.
SILENCE = ("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_EMPTY_RESPONSE")


def a_seventh_page_loads_beside_six_others(browser, sandbox):
    sandbox.send("one")
    with browser.more_pages() as another:
        for _ in range(7):
            another(sandbox.url)
            browser.reads("#connection", "live")
            browser.has_names("one")
    # The first goes on where it was.
    sandbox.send("two")
    browser.has_names("two", "one")


def its_end_is_told_and_what_arrived_stays(browser, sandbox):
    browser.expected(*SILENCE)
    sandbox.send("one")
    browser.has_names("one")
    sandbox.end()
    browser.reads("#connection", "the sandbox has ended")
    browser.has_names("one")
    # Nothing is asked for to open it.
    browser.open_row()
    browser.tells(".wire", '"event_name": "one"')


def one_that_breaks_off_is_waited_for(browser, sandbox):
    browser.expected(*SILENCE)
    sandbox.process.kill()
    browser.reads("#connection", "reconnecting")
    browser.reads("#connection", "the sandbox has ended")


def another_in_its_place_begins_anew(browser, sandbox):
    browser.expected(*SILENCE)
    sandbox.send("one")
    browser.has_names("one")
    sandbox.end()
    browser.reads("#connection", "the sandbox has ended")
    port = sandbox.host.rsplit(":")[1]
    with Sandbox(sandbox.program, "--know-everybody", port=port) as other:
        browser.reads("#connection", "live")
        browser.has_rows(0)
        other.send("two")
        browser.has_names("two")


def a_cut_connection_goes_on_where_it_was(browser, sandbox):
    _goes_on(browser, sandbox, b"")


def one_that_something_else_answered_goes_on_where_it_was(browser, sandbox):
    # The browser takes that for the end of it, and does not ask again by itself.
    browser.expected("404")
    _goes_on(browser, sandbox, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def _goes_on(browser, sandbox, instead):
    browser.expected(*SILENCE)
    with Line(sandbox.host) as line:
        browser.open_page(line.url)
        sandbox.send("one")
        browser.has_names("one")
        # The list is held, and would be emptied if the page began anew.
        browser.click("#pause")
        line.cut(instead)
        browser.reads("#connection", "reconnecting")
        sandbox.send("two")
        sandbox.send("three")
        assert line.turned_away.wait(30), "the page does not ask again"
        line.mend()
        browser.reads("#connection", "live")
        browser.reads("#pause", "Resume · 2 new")
        browser.has_names("one")
        browser.click("#pause")
        browser.has_names("three", "two", "one")
        browser.wait_for("one('#chart').getAttribute('aria-label').startsWith('3 requests')")
        # What the page learnt of late is charted at its own time.
        browser.wait_for(f"({POINT_AT_THE_LAST_BAR}, text('#chart-readout').startsWith(`${{text('.row .time').slice(0, 8)}} · `))")


def what_needs_the_sandbox_says_that_it_is_gone(browser, sandbox):
    browser.expected(*SILENCE)
    sandbox.admin("POST", "/faults", {"fault": "delay 1ms"})
    browser.click("#tab-faults")
    browser.shows(".standing tbody code", "delay 1ms")
    sandbox.end()
    browser.reads("#connection", "the sandbox has ended")
    browser.tells("#budget", "as it was last known")
    browser.click("#switch-outage")
    browser.tells("#panel-faults [role=alert]", "the sandbox does not answer")
    browser.shows(".standing tbody code", "delay 1ms")
    browser.click("#tab-events")
    browser.click("#clear")
    browser.reads("#notice", "Not cleared: the sandbox does not answer.")
