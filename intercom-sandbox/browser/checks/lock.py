"""A program's lock: events that never came, unknown events, and sensitive values."""

import atexit
import os
import tempfile

LOCK = """version 1

event invoice_paid user_id
  key total money
  key iban text sensitive
  key paid_by text
    texts card transfer

event "Parcel sent" email
event never_came
"""

SECRET = "DE02120300000000202051"


def _file():
    handle, path = tempfile.mkstemp(suffix=".lock")
    with os.fdopen(handle, "w") as file:
        file.write(LOCK)
    atexit.register(os.unlink, path)
    return path


OPTIONS = ["--know-everybody", "--lock", _file()]


def missing_events_are_listed_until_they_arrive(browser, sandbox):
    browser.click("#tab-catalogue")
    browser.shows("#panel-catalogue h2", "Event names", "Never sent")
    browser.tells("#panel-catalogue .sheet", "No event arrived for 3 names of the lock:")
    browser.shows("#panel-catalogue .sheet > .fields code", "invoice_paid", "Parcel sent", "never_came")
    sandbox.send("parcel SENT", metadata={})
    browser.shows("#panel-catalogue .sheet > .fields code", "invoice_paid", "never_came")
    browser.tells("#panel-catalogue .sheet", "No event arrived for 2 names of the lock:")
    sandbox.send("invoice_paid", metadata={"total": {"amount": 1, "currency": "eur"}, "iban": SECRET, "paid_by": "card"})
    browser.shows("#panel-catalogue .sheet > .fields code", "never_came")
    browser.tells("#panel-catalogue .sheet", "No event arrived for 1 name of the lock:")
    sandbox.send("never_came", created_at=1)
    browser.shows("#panel-catalogue h2", "Event names")


def an_event_outside_the_lock_gets_a_warning(browser, sandbox):
    sandbox.send("letter_sent")
    browser.click("#tab-catalogue")
    browser.shows(".entry h3", "letter_sent")
    browser.tells(".entry.warned", "The lock has no event of this name.")


def the_page_never_has_a_sensitive_value(browser, sandbox):
    sandbox.send("invoice_paid", metadata={"total": {"amount": 1, "currency": "eur"}, "iban": SECRET, "paid_by": "cheque"})
    browser.click(".row")
    browser.tells("body", "[sensitive]", "does not allow this text for paid_by; it allows: card, transfer")
    browser.becomes("document.documentElement.outerHTML.includes(args[0])", False, SECRET)
    browser.click("#tab-catalogue")
    browser.shows(".entry h3", "invoice_paid")
    browser.becomes("document.documentElement.outerHTML.includes(args[0])", False, SECRET)
