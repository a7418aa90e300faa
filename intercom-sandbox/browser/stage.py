"""The content of the screenshot: a workspace on an ordinary day."""

import math
import time

KNOWN = ["user_id=42", "user_id=1138", "email=ada@example.com", "email=grace@example.com"]
OPTIONS = [option for contact in KNOWN for option in ("--contact", contact)]

ADA = {"user_id": None, "email": "ada@example.com"}
GRACE = {"user_id": None, "email": "grace@example.com"}
DAY = 86_400

# The chart shows three minutes, and nothing but time fills it.
SECONDS_OF_TRAFFIC = 60


def play(browser, sandbox):
    """Sends some traffic, and then one request of each kind."""
    with sandbox.client() as client:
        for second in range(SECONDS_OF_TRAFFIC):
            _second_of_traffic(client, second)
        _scene(sandbox, client, int(time.time()))
    browser.reads(".row .name", "invoice_paid")
    browser.run("one('.row.tall .summary').click()")
    browser.wait_for("one('.detail')")


def _second_of_traffic(client, second):
    """Sends a varying number of requests, a few of them with mistakes."""
    until = time.monotonic() + 1
    for number in range(round(5 + 3 * math.sin(second / 5) + 2 * math.sin(second / 1.7))):
        client.send("page_viewed", created_at=second * 100 + number, metadata={"page": f"https://app.example.com/projects/{number}"})
    if second % 9 == 4:
        client.send("page_viewed", created_at=second * 100, metadata={"page": "https://app.example.com/projects/0"})
    if second % 13 in (6, 7):
        client.send("page_viewed", metadata={"page": ["projects", "7"]})
    time.sleep(max(0, until - time.monotonic()))


def _scene(sandbox, client, now):
    project = {"url": "https://app.example.com/projects/7", "value": "Apollo"}
    client.send("signed_up", **ADA, metadata={"plan": "trial", "trial_end_date": now + 14 * DAY, "referrer": "https://example.com/blog/apollo"})
    client.send("project_created", metadata={"project_name": "Apollo", "template": "Kanban", "public": False})
    client.send("seat_added", created_at=now * 1000, user_id="1138", metadata={"seats": 26, "plan": "business"})
    client.send("report_exported", **GRACE, metadata={"format": "csv", "rows": 18_250})
    client.send("report_exported", **GRACE, metadata={"format": "csv", "rows": 18_250})
    sandbox.admin("POST", "/faults", {"fault": "503 for next 1"})
    client.send("member_invited", **ADA, metadata={"project": project, "role": "editor"})
    client.send("member_invited", **ADA, metadata={"project": project, "role": "editor"})
    client.send("plan_changed", user_id="1138", metadata={"from": "team", "to": "business", "seats": 25, "price": {"amount": 119_000, "currency": "usd"}})
    sandbox.admin("POST", "/faults", {"fault": "delay 2s for 10% on contacts"})
    client.send("invoice_paid", **ADA, metadata={"total": {"amount": 34_999, "currency": "eur"}, "invoice": {"url": "https://app.example.com/invoices/1042", "value": "1042"}, "due_date": now + 7 * DAY})
