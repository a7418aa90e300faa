"""The event names, and warnings about differing values."""


def the_catalogue_lists_names_with_keys_and_kinds(browser, sandbox):
    sandbox.send("invoice_paid", metadata={"total": {"amount": 1, "currency": "eur"}, "due_date": 1_800_000_000})
    browser.click("#tab-catalogue")
    browser.shows(".entry h3", "invoice_paid")
    browser.shows(".fields li", "total\nmoney", "due_date\ndate")
    browser.lacks(".warnings")
    browser.tells("#panel-catalogue .sheet", "1 name in 1 event, without a warning.")


def values_of_several_kinds_get_a_warning(browser, sandbox):
    sandbox.send("signed_up")
    sandbox.send("seat_added", created_at=1, metadata={"seats": 5, "plan": "pro"})
    sandbox.send("seat_added", created_at=2, metadata={"seats": "five"})
    browser.click("#tab-catalogue")
    # Names with a warning come first.
    browser.shows(".entry h3", "seat_added", "signed_up")
    browser.tells(".entry.warned", "seat_added", "in 1 of 2")
    browser.wait_for("texts('.warnings li')[0] === 'Warning: seats is a number in 1 and a text in 1: send one kind under a key.'")
    # An absent key is no warning: the key may be optional.
    browser.becomes("texts('.warnings li').length", 1)


def the_catalogue_follows_new_events(browser, sandbox):
    browser.click("#tab-catalogue")
    browser.tells("#panel-catalogue", "No accepted event yet")
    sandbox.send("signed_up")
    browser.shows(".entry h3", "signed_up")


def show_events_filters_by_the_name(browser, sandbox):
    sandbox.send("signed_up")
    sandbox.send("invoice_paid")
    browser.click("#tab-catalogue")
    browser.shows(".entry h3", "signed_up", "invoice_paid")
    browser.click(".entry button")
    browser.has_names("signed_up")
    browser.becomes("one('[aria-selected=true]').id", "tab-events")
    browser.becomes("document.activeElement.id", "tab-events")


def a_reload_keeps_the_view(browser, sandbox):
    sandbox.send("signed_up")
    browser.click("#tab-catalogue")
    browser.shows(".entry h3", "signed_up")
    browser.becomes("location.hash", "#catalogue")
    browser.run("window.isOld = true")
    browser.reload()
    browser.wait_for("!window.isOld && text('#connection') === 'live'")
    browser.shows(".entry h3", "signed_up")
    browser.run("location.hash = '#faults'")
    browser.wait_for("shown('#panel-faults')")
