"""Ten thousand events."""

import json
import socket
import threading

from sandbox import TOKEN

EVENTS = 10_000
OPTIONS = ["--know-everybody", "--no-rate-limit"]


def ten_thousand_do_not_make_it_slow(browser, sandbox):
    _send(sandbox, EVENTS)
    _shows_all(browser)
    elements = browser.run("return all('*').length")
    assert elements < 2000, f"{elements} elements"

    filtered = browser.run(
        """const field = one("#filter-name");
        const times = ["needle", "n", "event_7", ""].map((text) => {
          field.value = text;
          const began = performance.now();
          field.dispatchEvent(new Event("input"));
          return performance.now() - began;
        });
        return Math.max(...times);"""
    )
    browser.type("#filter-name", "needle")
    browser.has_names(*["needle"] * (EVENTS // 1000))
    browser.reads("#shown", f"{EVENTS // 1000} of 10,000")
    browser.type("#filter-name", "")
    browser.wait_for("all('.row').length > 10")
    return f"{elements} elements, a filter takes {filtered:.0f} ms at most"


def the_oldest_can_be_scrolled_to_and_stays_where_it_is(browser, sandbox):
    _send(sandbox, EVENTS)
    _shows_all(browser)
    browser.run("one('#scroller').scrollTop = one('#scroller').scrollHeight")
    browser.wait_for("one('.row[data-number=\"1\"]')")
    browser.run("one('#scroller').scrollTop = 100_000")
    # The row at the top of the view, and where exactly.
    place = """all(".row")
      .map((row) => [row.dataset.number, row.getBoundingClientRect().top - one("#scroller").getBoundingClientRect().top])
      .find(([, top]) => top >= 0 && top < 100)"""
    before = browser.wait_for(place)
    _send(sandbox, 10, first=EVENTS)
    browser.reads("#newest", "↑ 10 newer")
    browser.becomes(place, before)
    browser.click("#newest")
    browser.becomes("one('.row').dataset.number", str(EVENTS + 10))
    browser.lacks("#newest")
    browser.reads("#shown", "10,000 shown, 10 not shown")


def a_flood_is_kept_up_with(browser, sandbox):
    accepted = "Number(one('[data-outcome=accepted] b').textContent.replace(',', ''))"
    senders = [threading.Thread(target=_send, args=(sandbox, 6_000, first * 6_000)) for first in range(4)]
    for sender in senders:
        sender.start()
    browser.wait_for(f"{accepted} > 0")
    # The page answers while events arrive.
    browser.click("#tab-catalogue")
    browser.wait_for("shown('#panel-catalogue')")
    browser.click("#tab-events")
    browser.wait_for("shown('#panel-events')")
    for sender in senders:
        sender.join()
    browser.becomes(accepted, 24_000, within=60)
    browser.becomes("one('.row').dataset.number", "24000", within=60)
    browser.wait_for("one('#chart').getAttribute('aria-label').startsWith('24,000 requests')")
    browser.reads("#shown", "10,000 shown, 14,000 not shown")
    elements = browser.run("return all('*').length")
    assert elements < 2000, f"{elements} elements"


def _shows_all(browser):
    browser.becomes("text('#shown')", "10,000 shown", within=60)
    browser.becomes("one('.row').dataset.number", "10000")


def _send(sandbox, count, first=0, at_a_time=200):
    """Sends events over one connection, many before it reads their answers."""
    host, port = sandbox.host.split(":")
    with socket.create_connection((host, int(port))) as line:
        answers = line.makefile("rb")
        for begin in range(first, first + count, at_a_time):
            numbers = range(begin, min(begin + at_a_time, first + count))
            line.sendall(b"".join(_request(number) for number in numbers))
            for _ in numbers:
                _read_answer(answers)


def _request(number):
    name = "needle" if number % 1000 == 0 else f"event_{number % 50}"
    body = json.dumps({"event_name": name, "created_at": number, "user_id": str(number % 500), "metadata": {"number": number, "page": f"https://example.com/{number}"}})
    head = f"POST /events HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer {TOKEN}\r\nAccept: application/json\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()


def _read_answer(answers):
    status = answers.readline()
    assert b" 202 " in status, status
    while answers.readline() not in (b"\r\n", b""):
        pass
