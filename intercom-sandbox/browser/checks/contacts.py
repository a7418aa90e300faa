"""Known contacts: listed, searched and created."""

OPTIONS = ["--contact", "user_id=1", "--contact", "email=ada@example.com"]


def the_known_are_listed_and_searched(browser, sandbox):
    browser.click("#tab-contacts")
    browser.reads("#contacts-shown", "2 contacts")
    browser.shows("#panel-contacts tbody td:nth-child(3)", "ada@example.com", "–")
    browser.type("#contacts-search", "ADA")
    browser.reads("#contacts-shown", "1 contact with “ADA”")
    browser.type("#contacts-search", "nobody")
    browser.tells("#panel-contacts tbody", "No contact matches")


def one_is_created_by_hand_and_takes_events(browser, sandbox):
    assert sandbox.send("early") == 404
    browser.click("#tab-contacts")
    browser.type("#new-contact", "42")
    browser.press("Enter")
    browser.shows("#panel-contacts tbody td:nth-child(2)", "42", "–", "1")
    assert sandbox.send("signed_up") == 202
    # What the API does is seen too.
    with sandbox.client() as client:
        assert client.request("POST", "/contacts", b'{"email": "eve@example.com"}') == 200
    browser.becomes("texts('#panel-contacts tbody td:nth-child(3)')[0]", "eve@example.com")


def a_refused_row_creates_its_contact(browser, sandbox):
    assert sandbox.send("signed_up") == 404
    browser.shows(".row .status", "404")
    browser.open_row()
    browser.shows(".actions button", "Create this contact", "Send again", "Copy as curl", "Copy link")
    browser.click(".actions button")
    browser.tells(".actions .said", "Created.")
    browser.click(".actions button:nth-of-type(2)")
    browser.reads(".actions .said", "Sent again: 202.")
    browser.shows(".row .status", "202", "404")
    browser.open_row(0)
    browser.becomes("all('.row')[0].querySelector('.actions button').innerText", "Send again")
