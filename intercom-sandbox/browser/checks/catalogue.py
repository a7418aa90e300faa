"""The names that were seen, and what is wrong with how they were sent."""


def names_are_told_with_their_keys_and_kinds(browser, sandbox):
    sandbox.send("invoice_paid", metadata={"total": {"amount": 1, "currency": "eur"}, "due_date": 1_800_000_000})
    browser.wait_for_rows(1)
    browser.click("#tab-catalogue")
    browser.wait_for("document.querySelectorAll('.entry').length === 1")
    assert browser.text(".entry h3") == "invoice_paid"
    assert browser.texts(".fields li") == ["total\nmoney", "due_date\ndate"], browser.texts(".fields li")
    assert browser.texts(".warnings li") == []


def what_is_not_always_the_same_is_warned_of(browser, sandbox):
    sandbox.send("seat_added", created_at=1, metadata={"seats": 5, "plan": "pro"})
    sandbox.send("seat_added", created_at=2, metadata={"seats": "five"})
    sandbox.send("signed_up")
    browser.click("#tab-catalogue")
    browser.wait_for("document.querySelectorAll('.entry').length === 2")
    entry = browser.text(".entry.warned")
    assert entry.startswith("seat_added"), entry
    warnings = browser.texts(".warnings li")
    assert warnings[0] == "Warning: seats is a number in 1 and a text in 1: send one kind under a key.", warnings
    assert warnings[1].startswith("Warning: plan came with some of 2 events"), warnings
    assert "in 1 of 2" in entry


def it_follows_what_comes_in(browser, sandbox):
    browser.click("#tab-catalogue")
    browser.wait_for("document.querySelector('#panel-catalogue').innerText.includes('No event was accepted yet')")
    sandbox.send("signed_up")
    browser.wait_for("document.querySelector('.entry h3')?.textContent === 'signed_up'")


def a_name_leads_to_its_events(browser, sandbox):
    sandbox.send("signed_up")
    sandbox.send("invoice_paid")
    browser.click("#tab-catalogue")
    browser.wait_for("document.querySelectorAll('.entry').length === 2")
    browser.click(".entry button")
    browser.wait_for_rows(1)
    assert browser.names() == ["signed_up"]
    assert browser.run("return document.querySelector('#tab-events').getAttribute('aria-selected')") == "true"
