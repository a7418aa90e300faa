"""The state of the connection to the sandbox."""

from checks.strip import POINT_AT_THE_LAST_BAR
from proxy import Proxy
from sandbox import Sandbox

# The errors of the browser without an answer.
SILENCE = ("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_EMPTY_RESPONSE")


def a_seventh_page_loads_beside_six_others(browser, sandbox):
    sandbox.send("one")
    with browser.more_pages() as another:
        for _ in range(7):
            another(sandbox.url)
            browser.reads("#connection", "live")
            browser.has_names("one")
    # The first page resumes.
    sandbox.send("two")
    browser.has_names("two", "one")


def the_page_shows_the_end_and_keeps_its_requests(browser, sandbox):
    browser.expected(*SILENCE)
    sandbox.send("one")
    browser.has_names("one")
    sandbox.end()
    browser.reads("#connection", "the sandbox has stopped")
    browser.has_names("one")
    # A row opens without a request.
    browser.open_row()
    browser.tells(".wire", '"event_name": "one"')


def the_page_reconnects_before_it_reports_the_end(browser, sandbox):
    browser.expected(*SILENCE)
    sandbox.process.kill()
    browser.reads("#connection", "reconnecting")
    browser.reads("#connection", "the sandbox has stopped")


def another_sandbox_at_the_address_starts_an_empty_list(browser, sandbox):
    browser.expected(*SILENCE)
    sandbox.send("one")
    browser.has_names("one")
    sandbox.end()
    browser.reads("#connection", "the sandbox has stopped")
    port = sandbox.host.rsplit(":")[1]
    with Sandbox(sandbox.program, "--know-everybody", port=port) as other:
        browser.reads("#connection", "live")
        browser.has_rows(0)
        other.send("two")
        browser.has_names("two")


def a_cut_connection_resumes(browser, sandbox):
    _goes_on(browser, sandbox, b"")


def a_connection_resumes_after_an_http_error(browser, sandbox):
    # The browser does not reconnect by itself after this answer.
    browser.expected("404")
    _goes_on(browser, sandbox, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def _goes_on(browser, sandbox, instead):
    browser.expected(*SILENCE)
    with Proxy(sandbox.host) as proxy:
        browser.open_page(proxy.url)
        sandbox.send("one")
        browser.has_names("one")
        # A restart would empty the paused list.
        browser.click("#pause")
        proxy.cut(instead)
        browser.reads("#connection", "reconnecting")
        sandbox.send("two")
        sandbox.send("three")
        assert proxy.refused.wait(30), "the page does not reconnect"
        proxy.restore()
        browser.reads("#connection", "live")
        browser.reads("#pause", "Resume · 2 new")
        browser.has_names("one")
        browser.click("#pause")
        browser.has_names("three", "two", "one")
        browser.wait_for("one('#chart').getAttribute('aria-label').startsWith('3 requests')")
        # The chart has a late request at its own time.
        browser.wait_for(f"({POINT_AT_THE_LAST_BAR}, text('#chart-readout').startsWith(`${{text('.row .time').slice(0, 8)}} · `))")


def actions_report_that_the_sandbox_is_gone(browser, sandbox):
    browser.expected(*SILENCE)
    sandbox.admin("POST", "/faults", {"fault": "delay 1ms"})
    browser.click("#tab-faults")
    browser.shows(".active-faults tbody code", "delay 1ms")
    sandbox.end()
    browser.reads("#connection", "the sandbox has stopped")
    browser.tells("#budget", "last known value")
    browser.click("#switch-outage")
    browser.tells("#panel-faults [role=alert]", "the sandbox does not answer")
    browser.shows(".active-faults tbody code", "delay 1ms")
    browser.click("#tab-events")
    browser.click("#clear")
    browser.reads("#notice", "Not cleared: the sandbox does not answer.")
