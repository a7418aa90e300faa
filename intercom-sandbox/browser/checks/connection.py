"""Whether the sandbox is still there."""

from sandbox import Sandbox


def its_end_is_told_and_what_arrived_stays(browser, sandbox):
    sandbox.send("one")
    browser.wait_for_rows(1)
    sandbox.end()
    browser.wait_for("document.querySelector('#connection').textContent === 'the sandbox has ended'")
    assert browser.names() == ["one"]
    browser.click(".row .name")
    assert '"event_name": "one"' in browser.text(".wire"), "nothing is asked for to open it"
    browser.expected("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING")


def one_that_breaks_off_is_waited_for(browser, sandbox):
    sandbox.process.kill()
    browser.wait_for("document.querySelector('#connection').textContent === 'reconnecting'")
    browser.wait_for("document.querySelector('#connection').textContent === 'the sandbox has ended'")
    browser.expected("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_INCOMPLETE_CHUNKED_ENCODING")


def another_in_its_place_begins_anew(browser, sandbox):
    sandbox.send("one")
    browser.wait_for_rows(1)
    sandbox.end()
    port = sandbox.host.rsplit(":")[1]
    with Sandbox(sandbox.program, "--know-everybody", port=port) as other:
        browser.wait_for("document.querySelector('#connection').textContent === 'live'")
        browser.wait_for_rows(0)
        other.send("two")
        browser.wait_for_rows(1)
        assert browser.names() == ["two"]
        browser.fresh_log()
