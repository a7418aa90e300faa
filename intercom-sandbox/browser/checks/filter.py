"""The filter."""

import http.client
import time


def _send_some(browser, sandbox):
    sandbox.send("project_created")
    sandbox.send("project_archived", user_id=None, email="Ada@example.com")
    sandbox.send("invoice_paid", user_id="1138")
    sandbox.send("invoice_paid", created_at=int(time.time()) * 1000)
    browser.has_names("invoice_paid", "invoice_paid", "project_archived", "project_created")


def by_name(browser, sandbox):
    _send_some(browser, sandbox)
    browser.type("#filter-name", "PROJECT")
    browser.has_names("project_archived", "project_created")
    browser.reads("#shown", "2 of 4")
    browser.type("#filter-name", "created")
    browser.has_names("project_created")


def by_contact(browser, sandbox):
    _send_some(browser, sandbox)
    browser.type("#filter-contact", "ada@")
    browser.has_names("project_archived")
    browser.type("#filter-contact", "user_id 1138")
    browser.has_names("invoice_paid")


def by_text_in_metadata_and_bodies(browser, sandbox):
    sandbox.send("one", metadata={"city": "Zürich"})
    sandbox.send("two", created_at=1, metadata={"plan": "pro"})
    with sandbox.client() as client:
        client.request("POST", "/events", b"{oops")
    browser.has_rows(3)
    # The body writes the letter by an escape.
    browser.type("#filter-text", "zürich")
    browser.has_names("one")
    browser.type("#filter-text", "PLAN PRO")
    browser.has_names("two")
    browser.type("#filter-text", "{oops")
    browser.has_names("POST /events")
    # The filter searches the answer too.
    browser.type("#filter-text", "bad_request")
    browser.has_names("POST /events")


def by_status(browser, sandbox):
    _send_some(browser, sandbox)
    sandbox.admin("POST", "/faults", {"fault": "hang up for next 1"})
    try:
        sandbox.send("lost")
    except (http.client.HTTPException, ConnectionError):
        pass
    for wanted, statuses in (("422", ["422"]), ("4xx", ["422"]), ("2", ["202", "202", "202"]), ("none", ["–"]), ("5", [])):
        browser.type("#filter-status", wanted)
        browser.shows(".row .status", *statuses)
    browser.click("#filter-reset")
    browser.has_rows(5)


def by_outcome(browser, sandbox):
    _send_some(browser, sandbox)
    browser.shows(".chip", "Accepted\n3", "Duplicate\n0", "Refused\n1", "Faulted\n0", "Other requests\n0")
    browser.click(".chip[data-outcome=refused]")
    browser.shows(".row .badge", "Refused")
    browser.becomes("one('.chip[data-outcome=refused]').getAttribute('aria-pressed')", "true")
    browser.click(".chip[data-outcome=accepted]")
    browser.has_rows(4)
    browser.click(".chip[data-outcome=refused]")
    browser.shows(".row .badge", "Accepted", "Accepted", "Accepted")


def all_fields_together_filter_later_requests_too(browser, sandbox):
    _send_some(browser, sandbox)
    browser.type("#filter-name", "invoice")
    browser.type("#filter-contact", "42")
    browser.click(".chip[data-outcome=accepted]")
    browser.wait_for("shown('#no-match')")
    sandbox.send("project_created", created_at=1)
    sandbox.send("invoice_paid", created_at=1)
    browser.has_names("invoice_paid")
    browser.reads("#shown", "1 of 6")


def clearing_keeps_the_filter(browser, sandbox):
    _send_some(browser, sandbox)
    browser.type("#filter-name", "invoice")
    browser.has_rows(2)
    browser.click("#clear")
    browser.wait_for("shown('#nothing')")
    sandbox.send("project_created")
    sandbox.send("invoice_paid")
    browser.reads("#shown", "1 of 2")
    browser.has_names("invoice_paid")


def an_empty_result_offers_a_reset(browser, sandbox):
    _send_some(browser, sandbox)
    browser.type("#filter-name", "no such event")
    browser.click("#filter-reset")
    browser.has_rows(4)
    browser.becomes("one('#filter-name').value", "")
    browser.becomes("document.activeElement.id", "filter-name")
    browser.lacks("#no-match")
