"""Ten thousand events."""

import json
import socket
import threading

from sandbox import TOKEN

EVENTS = 10_000
OPTIONS = ["--know-everybody", "--no-rate-limit"]


def ten_thousand_do_not_make_it_slow(browser, sandbox):
    _send(sandbox, EVENTS)
    browser.wait_for("document.querySelector('#shown').textContent === '10,000 shown'", within=60)
    elements = browser.run("return document.querySelectorAll('*').length")
    assert elements < 2000, f"{elements} elements"

    filtered = browser.run(
        """const field = document.querySelector("#filter-name");
        const times = ["needle", "n", "event_7", ""].map((text) => {
          field.value = text;
          const began = performance.now();
          field.dispatchEvent(new Event("input"));
          return performance.now() - began;
        });
        return Math.max(...times);"""
    )
    browser.type("#filter-name", "needle")
    browser.wait_for_rows(EVENTS // 1000)
    assert set(browser.names()) == {"needle"}
    assert browser.text("#shown") == f"{EVENTS // 1000} of 10,000"
    browser.type("#filter-name", "")
    browser.wait_for("document.querySelectorAll('.row').length > 10")
    return f"{elements} elements, a filter takes {filtered:.0f} ms at most"


def the_oldest_can_be_scrolled_to_and_stays_where_it_is(browser, sandbox):
    _send(sandbox, EVENTS)
    browser.wait_for("document.querySelector('#shown').textContent === '10,000 shown'", within=60)
    browser.run("const scroller = document.querySelector('#scroller'); scroller.scrollTop = scroller.scrollHeight")
    browser.wait_for("document.querySelector('.row[data-number=\"1\"]')")
    browser.run("document.querySelector('#scroller').scrollTop = 100_000")
    # The row at the top of the view, and where exactly.
    place = """[...document.querySelectorAll(".row")]
      .map((row) => [row.dataset.number, row.getBoundingClientRect().top - document.querySelector("#scroller").getBoundingClientRect().top])
      .find(([, top]) => top >= 0 && top < 100)"""
    before = browser.wait_for(place)
    _send(sandbox, 10, first=EVENTS)
    browser.wait_for("document.querySelector('#newest').textContent === '↑ 10 newer'")
    after = browser.wait_for(place)
    assert before == after, (before, after)
    browser.click("#newest")
    browser.wait_for("document.querySelector('.row').dataset.number === args[0]", str(EVENTS + 10))
    assert not browser.run("return document.querySelector('#newest').checkVisibility()")
    assert browser.run("return document.querySelector('#shown').textContent").startswith("10,000 shown")


def a_flood_is_kept_up_with(browser, sandbox):
    counts = "Number(document.querySelector('[data-outcome=accepted] b').textContent.replace(',', ''))"
    senders = [threading.Thread(target=_send, args=(sandbox, 6_000, first * 6_000)) for first in range(4)]
    for sender in senders:
        sender.start()
    browser.wait_for(f"{counts} > 0")
    # It answers while they come.
    browser.click("#tab-catalogue")
    browser.click("#tab-events")
    for sender in senders:
        sender.join()
    browser.wait_for(f"{counts} === 24_000", within=60)
    browser.wait_for("document.querySelector('.row').dataset.number === '24000'", within=60)
    charted = browser.wait_for("/^24,000 requests/.exec(document.querySelector('#chart').getAttribute('aria-label'))", within=5)
    assert charted
    assert browser.run("return document.querySelectorAll('*').length") < 2000
    assert browser.text("#shown") == "10,000 shown, 14,000 left out"


def _send(sandbox, count, first=0, at_a_time=200):
    """Sends events over one connection, many before their answers are read."""
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
