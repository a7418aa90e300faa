"""Known contacts: listed, searched and created."""

OPTIONS = ["--contact", "user_id=1", "--contact", "email=ada@example.com"]


def known_contacts_are_listed_and_searched(browser, sandbox):
    browser.click("#tab-contacts")
    browser.reads("#contacts-shown", "2 contacts")
    browser.shows("#panel-contacts tbody td:nth-child(3)", "ada@example.com", "–")
    browser.type("#contacts-search", "ADA")
    browser.reads("#contacts-shown", "1 contact with “ADA”")
    browser.type("#contacts-search", "nobody")
    browser.tells("#panel-contacts tbody", "No contact matches")


def a_contact_created_on_the_page_takes_events(browser, sandbox):
    assert sandbox.send("early") == 404
    browser.click("#tab-contacts")
    browser.type("#new-contact", "42")
    browser.press("Enter")
    browser.shows("#panel-contacts tbody td:nth-child(2)", "42", "–", "1")
    assert sandbox.send("signed_up") == 202
    # The list has contacts from the API too.
    with sandbox.client() as client:
        assert client.request("POST", "/contacts", b'{"email": "eve@example.com"}') == 200
    browser.becomes("texts('#panel-contacts tbody td:nth-child(3)')[0]", "eve@example.com")


def the_details_of_a_refused_event_create_its_contact(browser, sandbox):
    assert sandbox.send("signed_up") == 404
    browser.shows(".row .status", "404")
    browser.open_row()
    browser.shows(".actions button", "Create this contact", "Send again", "Copy as curl", "Copy link")
    browser.click(".actions button")
    browser.tells(".actions .result", "Created.")
    browser.click(".actions button:nth-of-type(2)")
    browser.reads(".actions .result", "Sent again: 202.")
    browser.shows(".row .status", "202", "404")
    browser.open_row(0)
    browser.becomes("all('.row')[0].querySelector('.actions button').innerText", "Send again")
