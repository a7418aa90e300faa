"""Which records are shown."""

import time


def _send_some(browser, sandbox):
    sandbox.send("project_created")
    sandbox.send("project_archived", user_id=None, email="Ada@example.com")
    sandbox.send("invoice_paid", user_id="1138")
    sandbox.send("invoice_paid", created_at=int(time.time()) * 1000)
    browser.wait_for_rows(4)


def by_name(browser, sandbox):
    _send_some(browser, sandbox)
    browser.type("#filter-name", "PROJECT")
    browser.wait_for_rows(2)
    assert browser.names() == ["project_archived", "project_created"]
    assert browser.text("#shown") == "2 of 4"
    browser.type("#filter-name", "created")
    browser.wait_for_rows(1)


def by_contact(browser, sandbox):
    _send_some(browser, sandbox)
    browser.type("#filter-contact", "ada@")
    browser.wait_for_rows(1)
    assert browser.names() == ["project_archived"]
    browser.type("#filter-contact", "user_id 1138")
    browser.wait_for_rows(1)
    assert browser.names() == ["invoice_paid"]


def by_outcome(browser, sandbox):
    _send_some(browser, sandbox)
    assert browser.texts(".chip") == ["Accepted\n3", "Duplicate\n0", "Refused\n1", "Faulted\n0", "Served\n0"], browser.texts(".chip")
    browser.click(".chip[data-outcome=refused]")
    browser.wait_for_rows(1)
    assert browser.texts(".row .badge") == ["Refused"]
    assert browser.run("return document.querySelector('.chip[data-outcome=refused]').getAttribute('aria-pressed')") == "true"
    browser.click(".chip[data-outcome=accepted]")
    browser.wait_for_rows(4)
    browser.click(".chip[data-outcome=refused]")
    browser.wait_for_rows(3)


def all_of_them_together_and_for_what_comes_later(browser, sandbox):
    _send_some(browser, sandbox)
    browser.type("#filter-name", "invoice")
    browser.type("#filter-contact", "42")
    browser.click(".chip[data-outcome=accepted]")
    browser.wait_for("document.querySelector('#no-match').checkVisibility()")
    sandbox.send("project_created", created_at=1)
    sandbox.send("invoice_paid")
    browser.wait_for_rows(1)
    assert browser.names() == ["invoice_paid"]


def nothing_that_matches_is_told_and_undone(browser, sandbox):
    _send_some(browser, sandbox)
    browser.type("#filter-name", "no such event")
    browser.click("#filter-reset")
    browser.wait_for_rows(4)
    assert browser.run("return document.querySelector('#filter-name').value") == ""
