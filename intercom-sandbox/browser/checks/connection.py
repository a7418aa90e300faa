"""Whether the sandbox is still there."""

from sandbox import Sandbox

# What the browser complains of when nobody answers.
SILENCE = ("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_EMPTY_RESPONSE")


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
