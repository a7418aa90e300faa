"""How the client handles faults, which the checks inject over the sandbox's admin API."""

import time

import httpx
from intercom import CreateContactRequestWithExternalId, CreateDataEventRequestWithUserId
from intercom.core.api_error import ApiError

from checks import check, equal


def run(client, base_url):
    now = int(time.time())
    user_id = "unlucky-1"
    client.contacts.create(request=CreateContactRequestWithExternalId(external_id=user_id))

    def fault(text):
        answer = httpx.post(f"{base_url}/_sandbox/faults", json={"fault": text})
        equal(answer.status_code, 201, answer.text)

    def send(event_name, **options):
        event = CreateDataEventRequestWithUserId(
            user_id=user_id, event_name=event_name, created_at=now
        )
        client.events.create(request=event, request_options=options)

    def times(name):
        events = client.events.list(type="user", user_id=user_id).events
        return [event.event_name for event in events].count(name)

    @check("faults: after an outage the client sends again by itself")
    def _():
        fault("503 for next 1")
        # The client counts its tries from two: three means one retry.
        send("retried", max_retries=3)
        equal(times("retried"), 1)

    @check("faults: an event whose answer is lost counts once")
    def _():
        fault("hang up after acceptance for next 1")
        try:
            send("resent")
        except httpx.TransportError:
            send("resent")
        else:
            raise AssertionError("the answer arrived")
        equal(times("resent"), 1)

    @check("faults: a page of HTML is an error with its text")
    def _():
        fault("html 502 for next 1")
        try:
            send("unread")
        except ApiError as error:
            equal(error.status_code, 502)
            assert "<html" in error.body, error.body
        else:
            raise AssertionError("expected an error")
        equal(times("unread"), 0)
