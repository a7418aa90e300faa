"""Events as they come in: what a row tells, and what it opens to."""

import http.client
import time

from sandbox import TOKEN


def an_empty_page_says_how_to_begin(browser, sandbox):
    command = browser.text("#nothing-command")
    assert f"curl -i {sandbox.url}/events" in command and "Bearer TOKEN" in command, command
    assert TOKEN not in browser.run("return document.documentElement.outerHTML")


def events_appear_live_and_newest_first(browser, sandbox):
    sandbox.send("project_created")
    browser.wait_for_rows(1)
    sandbox.send("project_archived", user_id=None, email="ada@example.com")
    browser.wait_for_rows(2)
    assert browser.names() == ["project_archived", "project_created"]
    assert browser.texts(".row .badge") == ["Accepted", "Accepted"]
    assert browser.texts(".row .contact") == ["ada@example.com", "user_id 42"]
    assert browser.texts(".row .status") == ["202", "202"]
    assert not browser.run("return document.querySelector('#nothing').checkVisibility()")
    browser.wait_for("document.querySelector('#chart path[data-outcome=accepted]').getAttribute('d') !== ''")
    browser.wait_for("document.querySelector('#budget').innerText.includes('1,664 of 1,666 left')")
    browser.wait_for("/^2 requests$/.test(document.querySelector('#live').textContent)")


def metadata_is_shown_by_its_kind(browser, sandbox):
    due = 1_800_000_000
    sandbox.send(
        "invoice_paid",
        metadata={
            "total": {"amount": 34_999, "currency": "eur"},
            "fee": {"amount": 4_900, "currency": "JPY"},
            "due_date": due,
            "invoice": {"url": "https://app.example.com/7", "value": "INV-7"},
            "page": "https://example.com/a?b=c",
            "late": False,
            "seats": 1_250,
            "stripe_invoice": "in_1",
        },
    )
    browser.wait_for_rows(1)
    pairs = browser.texts(".row .pair")
    assert pairs[0] == "total €349.99", pairs
    assert pairs[1].startswith("fee ") and pairs[1].endswith("¥4,900"), pairs
    assert pairs[2] == "due_date 15 Jan 2027, 08:00", pairs
    assert pairs[3:] == ["invoice INV-7", "page example.com/a?b=c", "late no", "seats 1,250", "stripe_invoice in_1"], pairs
    assert str(due) in browser.run("return document.querySelector('.pair time').title")
    links = browser.run("return [...document.querySelectorAll('.row a')].map((a) => [a.href, a.rel, a.target])")
    assert links == [[href, "noopener noreferrer", "_blank"] for href in ("https://app.example.com/7", "https://example.com/a?b=c")], links


def a_row_opens_to_both_ways_over_the_wire(browser, sandbox):
    sandbox.send("project_created", metadata={"id": 12_345_678_901_234_567_890})
    browser.wait_for_rows(1)
    browser.click(".row .name")
    browser.wait_for("document.querySelector('.row.open .detail')")
    assert browser.run("return document.querySelector('.toggle').getAttribute('aria-expanded')") == "true"
    detail = browser.text(".detail")
    assert "POST /events" in detail and "202" in detail and "no body" in detail
    body = browser.text(".wire")
    assert '"id": 12345678901234567890' in body, "digits are not lost"
    assert body.startswith('{\n  "event_name": "project_created"')
    browser.click(".choice button:nth-child(2)")
    assert browser.text(".wire").startswith('{"event_name": "project_created", ')
    browser.click(".headers summary")
    headers = browser.text(".headers")
    assert "authorization" in headers and "Bearer [redacted]" in headers and TOKEN not in headers
    browser.click(".row .name")
    browser.wait_for("!document.querySelector('.detail')")


def refused_ones_say_which_rule_and_how_to_mend_it(browser, sandbox):
    sandbox.send("seat_added", created_at=int(time.time()) * 1000, metadata={"a.b": 1})
    browser.wait_for_rows(1)
    row = browser.text(".row")
    assert "Refused" in row and "seat_added" in row and "user_id 42" in row and "422" in row, row
    assert "milliseconds" in row and "How to mend it: Divide milliseconds by 1000" in _shown(browser, ".row .hint"), row
    browser.click(".row .name")
    problems = browser.texts(".problems li")
    assert len(problems) == 2, problems
    assert "parameter_invalid" in problems[0] and "created_at" in problems[0] and "Divide milliseconds" in problems[0]
    assert "metadata.a.b" in problems[1]
    assert '"type": "error.list"' in browser.texts(".wire")[1]


def what_is_no_json_is_shown_as_it_came(browser, sandbox):
    with sandbox.client() as client:
        assert client.request("POST", "/events", b"{oops") == 400
    browser.wait_for_rows(1)
    assert browser.names() == ["POST /events"]
    browser.click(".row .name")
    assert browser.text(".wire") == "{oops"


def duplicates_are_shown_as_swallowed(browser, sandbox):
    for _ in range(2):
        sandbox.send("signed_up", created_at=1_700_000_000)
    browser.wait_for_rows(2)
    assert browser.texts(".row .badge") == ["Duplicate", "Accepted"]
    assert "swallowed" in browser.text(".row .pairs")
    browser.click(".row .name")
    assert browser.text(".note.swallowed").startswith("Swallowed: an event with this contact")


def dropped_keys_are_shown_as_dropped(browser, sandbox):
    sandbox.send("many", metadata={f"k{number}": number for number in range(22)})
    browser.wait_for_rows(1)
    assert browser.text(".flag.dropped") == "2 keys dropped"
    browser.click(".row .name")
    browser.wait_for("document.querySelectorAll('dt.lost').length === 2")
    assert browser.texts("dt.lost") == ["k20", "k21"]


def faulted_ones_name_their_fault(browser, sandbox):
    sandbox.admin("POST", "/faults", {"fault": "503 for next 1"})
    sandbox.admin("POST", "/faults", {"fault": "hang up for next 1"})
    assert sandbox.send("comment_posted") == 503
    browser.wait_for_rows(1)
    try:
        sandbox.send("comment_posted")
        raise AssertionError("there was an answer")
    except (http.client.HTTPException, ConnectionError):
        pass
    browser.wait_for_rows(2)
    assert browser.texts(".row .badge") == ["Faulted", "Faulted"]
    assert browser.texts(".flag.fault") == ["fault: hang up", "fault: 503"], browser.texts(".flag.fault")
    assert browser.texts(".row .status") == ["–", "503"]


def pausing_holds_the_list_and_counts_on(browser, sandbox):
    sandbox.send("one")
    browser.wait_for_rows(1)
    browser.click("#pause")
    sandbox.send("two")
    sandbox.send("three")
    browser.wait_for("document.querySelector('#pause').textContent === 'Resume · 2 new'")
    assert browser.names() == ["one"]
    assert browser.text("[data-outcome=accepted] b") == "3", "the counts go on"
    browser.click("#pause")
    browser.wait_for_rows(3)
    assert browser.names() == ["three", "two", "one"]
    assert browser.text("#pause") == "Pause"


def clearing_takes_one_click_and_clears_the_sandbox(browser, sandbox):
    sandbox.send("one")
    browser.wait_for_rows(1)
    browser.click("#clear")
    browser.wait_for_rows(0)
    browser.wait_for("document.querySelector('#nothing').checkVisibility()")
    assert sandbox.admin("GET", "/state")["counts"]["requests"] == 0
    sandbox.send("two")
    browser.wait_for_rows(1)
    assert browser.names() == ["two"]
    browser.wait_for("document.querySelector('[data-outcome=accepted] b').textContent === '1'")


def _shown(browser, selector):
    """A text with what the style sheet writes before it."""
    return browser.run(
        """const element = document.querySelector(arguments[0]);
        return getComputedStyle(element, "::before").content.replaceAll('"', "") + element.innerText;""",
        selector,
    )
