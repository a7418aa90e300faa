"""Live events: their rows and their details."""

import http.client
import subprocess
import time

from sandbox import TOKEN


def an_empty_page_has_a_command_to_begin_with(browser, sandbox):
    browser.tells("#nothing-command", f"curl -i {sandbox.url}/events", "Bearer TOKEN")
    assert TOKEN not in browser.run("return document.documentElement.outerHTML")


def events_appear_live_and_newest_first(browser, sandbox):
    sandbox.send("project_created")
    browser.has_names("project_created")
    sandbox.send("project_archived", user_id=None, email="ada@example.com")
    browser.has_names("project_archived", "project_created")
    browser.shows(".row .badge", "Accepted", "Accepted")
    browser.shows(".row .contact", "ada@example.com", "user_id 42")
    browser.shows(".row .status", "202", "202")
    browser.lacks("#nothing")


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
    browser.shows(
        ".row .pair",
        "total €349.99",
        "fee JP¥4,900",
        "due_date 15 Jan 2027, 08:00",
        "invoice INV-7",
        "page example.com/a?b=c",
        "late no",
        "seats 1,250",
        "stripe_invoice in_1",
    )
    browser.becomes("one('.pair time').title", f"{due} in Unix seconds")
    links = [[href, "noopener noreferrer", "_blank"] for href in ("https://app.example.com/7", "https://example.com/a?b=c")]
    browser.becomes("all('.row a').map((a) => [a.href, a.rel, a.target])", links)


def the_details_have_both_messages(browser, sandbox):
    sandbox.send("project_created", metadata={"id": 12_345_678_901_234_567_890})
    browser.has_rows(1)
    browser.click(".row .name")
    browser.becomes("one('.toggle').getAttribute('aria-expanded')", "true")
    browser.tells(".row.open .detail", "POST /events", "202", "no body")
    body = browser.tells(".wire", '"id": 12345678901234567890')
    assert body.startswith('{\n  "event_name": "project_created"'), body
    browser.click(".choice button:nth-child(2)")
    body = browser.tells(".wire", '"event_name": "project_created", ')
    assert "\n" not in body, body
    browser.click(".headers summary")
    headers = browser.tells(".headers", "authorization", "Bearer [redacted]")
    assert TOKEN not in headers, headers
    browser.click(".row .name")
    browser.lacks(".detail")


def a_refused_event_shows_rule_and_fix(browser, sandbox):
    sandbox.send("seat_added", created_at=int(time.time()) * 1000, metadata={"a.b": 1})
    browser.tells(".row", "Refused", "seat_added", "user_id 42", "422", "milliseconds")
    browser.tells(".row .hint", "Divide milliseconds by 1000")
    browser.becomes("getComputedStyle(one('.row .hint'), '::before').content", '"How to fix: "')
    browser.open_row()
    browser.becomes("all('.problems li').length", 2)
    browser.tells(".problems li:nth-child(1)", "parameter_invalid", "created_at", "Divide milliseconds")
    browser.tells(".problems li:nth-child(2)", "metadata.a.b")
    browser.wait_for("texts('.wire')[1].includes('\"type\": \"error.list\"')")


def a_body_that_is_not_json_is_shown_as_sent(browser, sandbox):
    with sandbox.client() as client:
        assert client.request("POST", "/events", b"{oops") == 400
    browser.has_names("POST /events")
    browser.open_row()
    browser.reads(".wire", "{oops")


def duplicates_are_shown_as_ignored(browser, sandbox):
    for _ in range(2):
        sandbox.send("signed_up", created_at=1_700_000_000)
    browser.shows(".row .badge", "Duplicate", "Accepted")
    browser.tells(".row .pairs", "ignored as a duplicate")
    browser.open_row()
    browser.tells(".note.ignored", "Ignored as a duplicate: an earlier event has this contact")


def dropped_keys_are_shown_as_dropped(browser, sandbox):
    sandbox.send("many", metadata={f"k{number}": number for number in range(22)})
    browser.reads(".flag.dropped", "2 keys dropped")
    browser.open_row()
    browser.shows("dt.lost", "k20", "k21")


def a_faulted_request_names_its_fault(browser, sandbox):
    sandbox.admin("POST", "/faults", {"fault": "503 for next 1"})
    sandbox.admin("POST", "/faults", {"fault": "hang up for next 1"})
    assert sandbox.send("comment_posted") == 503
    browser.has_rows(1)
    try:
        sandbox.send("comment_posted")
        raise AssertionError("there was an answer")
    except (http.client.HTTPException, ConnectionError):
        pass
    browser.shows(".row .badge", "Faulted", "Faulted")
    browser.shows(".flag.fault", "fault: hang up", "fault: 503")
    browser.shows(".row .status", "–", "503")


def a_long_body_is_cut_and_shown_in_full_on_demand(browser, sandbox):
    with sandbox.client() as client:
        client.request("POST", "/events", b'{"event_name": "' + b"x" * 30_000 + b'"}')
    browser.open_row()
    browser.becomes("text('.wire').length", 20_001)
    browser.reads(".more", "Show all 30,018 characters")
    browser.click(".more")
    browser.becomes("text('.wire').length", 30_018)
    browser.lacks(".more")


def json_is_broken_into_lines_and_stays_as_it_is(browser, sandbox):
    body = r'{"a":[],"b":{},"a":[1,{"c":"\"},{"}],"d":1.0e2,"e":"\u00e9 \\"}'
    with sandbox.client() as client:
        client.request("POST", "/events", body.encode())
    browser.open_row()
    lines = ["{", '  "a": [],', '  "b": {},', '  "a": [', "    1,", "    {", r'      "c": "\"},{"', "    }", "  ],", '  "d": 1.0e2,', r'  "e": "\u00e9 \\"', "}"]
    browser.reads(".wire", "\n".join(lines))


def a_body_can_be_copied_as_it_was(browser, sandbox):
    browser.allow_clipboard(sandbox.url)
    body = '{"event_name":"copied", "created_at":1, "user_id":"42"}'
    with sandbox.client() as client:
        client.request("POST", "/events", body.encode())
    browser.open_row()
    browser.click(".detail .tools .copy")
    browser.reads(".detail .tools .copy", "Copied")
    browser.run("navigator.clipboard.readText().then((text) => (window.copied = text))")
    browser.becomes("window.copied", body)


def a_request_can_be_copied_as_a_curl_command(browser, sandbox):
    browser.allow_clipboard(sandbox.url)
    with sandbox.client() as client:
        client.request("POST", "/events", b"""{"event_name":"it's","created_at":1,"user_id":"42"}""")
    browser.has_names("it's")
    browser.open_row()
    browser.click(".actions [title^='Copy the request as a curl']")
    browser.reads(".actions [title^='Copy the request as a curl']", "Copied")
    browser.run("navigator.clipboard.readText().then((text) => (window.copied = text))")
    command = browser.wait_for("window.copied")
    assert "Bearer TOKEN" in command and TOKEN not in command, command
    ran = subprocess.run(["sh", "-c", command.replace("TOKEN", TOKEN, 1)], capture_output=True, text=True, timeout=30)
    assert ran.stdout.startswith("HTTP/1.1 202"), ran
    browser.shows(".row .badge", "Duplicate", "Accepted")


def a_request_can_be_sent_again(browser, sandbox):
    sandbox.send("once", created_at=1)
    browser.has_names("once")
    browser.open_row()
    browser.click(".actions button")
    browser.reads(".actions .result", "Sent again: 202.")
    browser.shows(".row .badge", "Duplicate", "Accepted")


def a_request_has_an_address(browser, sandbox):
    for number in range(60):
        sandbox.send(f"event_{number}", created_at=number)
    browser.reads("#shown", "60 shown")
    browser.type("#filter-name", "event_59")
    browser.run("location.hash = '#request-3'")
    browser.shows(".row.open .name", "event_2")
    # A new page opens it too.
    browser.open_page(sandbox.url, "#request-7")
    browser.shows(".row.open .name", "event_6")


def the_shown_requests_can_be_saved_as_json(browser, sandbox):
    browser.becomes("one('#export').disabled", True)
    sandbox.send("one")
    sandbox.send("two")
    browser.has_rows(2)
    browser.type("#filter-name", "one")
    browser.has_rows(1)
    browser.run(
        """const { createObjectURL } = URL;
        URL.createObjectURL = (blob) => {
          blob.text().then((text) => (window.saved = JSON.parse(text)));
          return createObjectURL(blob);
        };"""
    )
    browser.click("#export")
    browser.becomes("window.saved?.requests.map(({ number, event, body, time }) => [number, event.name, JSON.parse(body).event_name, time ?? null])", [[1, "one", "one", None]])


def a_name_that_intercom_folds_is_shown_as_it_was_sent(browser, sandbox):
    sandbox.send("plan.updated")
    browser.has_names("plan-updated")
    browser.reads(".row .flag.folded", "sent as plan.updated")
    browser.open_row()
    browser.tells(".detail", "sent as", "plan.updated", "Intercom turns . and $ into -")


def a_hint_takes_as_many_lines_as_it_needs(browser, sandbox):
    for _ in range(3):
        sandbox.send("seat_added", created_at=int(time.time()) * 1000)
    for width in (1400, 860, 390):
        browser.size(width, 900, mobile=width < 500)
        browser.open_page(sandbox.url)
        browser.has_rows(3)
        browser.becomes("all('.row .hint').filter((hint) => hint.scrollWidth > hint.clientWidth + 1 || hint.scrollHeight > hint.clientHeight + 1).length", 0)
        browser.becomes("all('.row').map((row) => row.getBoundingClientRect()).filter(({ top }, place, rows) => place > 0 && Math.abs(top - rows[place - 1].bottom) > 0.5).length", 0)


def times_say_their_zone(browser, sandbox):
    sandbox.send("one")
    browser.has_rows(1)
    browser.reads(".columns span:nth-child(2)", "Time, UTC")
    browser.wait_for("one('.row .time').title.endsWith(' UTC')")
    browser.open_row()
    browser.wait_for("texts('.facts dd').some((text) => / \\d\\d:\\d\\d:\\d\\d\\.\\d{3} UTC$/.test(text))")


def an_open_row_keeps_its_place(browser, sandbox):
    sandbox.send("read")
    browser.has_names("read")
    browser.open_row()
    place = "one('.row.open').getBoundingClientRect().top - one('#scroller').getBoundingClientRect().top"
    browser.becomes(place, 0)
    for number in range(30):
        sandbox.send("later", created_at=number)
    browser.reads("#newest", "↑ 30 newer")
    browser.becomes(place, 0)
    browser.click("#newest")
    browser.becomes("one('#scroller').scrollTop", 0)
    browser.becomes("text('.row .name')", "later")


def a_click_hits_its_row_while_others_arrive(browser, sandbox):
    sandbox.send("aimed_at")
    browser.has_names("aimed_at")
    place = browser.run("const { x, y, height } = one('.row .name').getBoundingClientRect(); return { x: x + 5, y: y + height / 2 }")
    browser.point(place, "down")
    sandbox.send("in_between")
    browser.reads("[data-outcome=accepted] b", "2")
    browser.point("up")
    browser.shows(".row.open .name", "aimed_at")
    # After the click the list moves again.
    browser.has_names("in_between", "aimed_at")


def following_a_link_or_selecting_text_opens_no_row(browser, sandbox):
    sandbox.send("one", metadata={"page": "https://example.com/"})
    browser.has_names("one")
    # Prevents the navigation.
    browser.run("addEventListener('click', (click) => click.preventDefault())")
    browser.click(".row a")
    start = browser.run("const { left, top, height } = one('.row .contact').getBoundingClientRect(); return { x: left + 2, y: top + height / 2 }")
    browser.point(start, "down", start | {"x": start["x"] + 40}, "up")
    browser.wait_for("getSelection().toString()")
    # A row would be open by the next drawing.
    sandbox.send("two")
    browser.has_names("two", "one")
    browser.lacks(".detail")


def the_title_counts_refused_events(browser, sandbox):
    sandbox.send("one")
    browser.has_rows(1)
    browser.becomes("document.title", "Intercom sandbox")
    sandbox.send("two", created_at=int(time.time()) * 1000)
    browser.becomes("document.title", "1 refused · Intercom sandbox")
    browser.click("#clear")
    browser.becomes("document.title", "Intercom sandbox")


def pausing_keeps_the_list_and_counts_on(browser, sandbox):
    sandbox.send("one")
    browser.has_names("one")
    browser.click("#pause")
    sandbox.send("two")
    sandbox.send("three")
    browser.reads("#pause", "Resume · 2 new")
    browser.reads("[data-outcome=accepted] b", "3")
    browser.has_names("one")
    browser.click("#pause")
    browser.has_names("three", "two", "one")
    browser.reads("#pause", "Pause")


def clearing_takes_one_click_and_clears_the_sandbox(browser, sandbox):
    sandbox.send("one")
    browser.has_names("one")
    browser.click("#clear")
    browser.has_rows(0)
    browser.wait_for("shown('#nothing')")
    assert sandbox.admin("GET", "/state")["counts"]["requests"] == 0
    sandbox.send("two")
    browser.has_names("two")
    browser.reads("[data-outcome=accepted] b", "1")


def clearing_keeps_the_pause(browser, sandbox):
    sandbox.send("one")
    browser.has_names("one")
    browser.click("#pause")
    browser.click("#clear")
    browser.tells("#paused-note", "Paused")
    browser.lacks("#nothing")
    sandbox.send("two")
    browser.reads("#pause", "Resume · 1 new")
    browser.has_rows(0)
    browser.click("#pause")
    browser.has_names("two")
    browser.lacks("#paused-note")
