"""Reading events back: lists, their pages, and summaries."""

import time
from datetime import datetime
from urllib.parse import parse_qsl, urlsplit

from intercom import CreateContactRequestWithExternalId, CreateDataEventRequestWithUserId
from intercom.events import CreateDataEventSummariesRequestEventSummaries as Imported

from checks import check, equal, refused


def run(client, base_url):
    now = int(time.time())
    email = "reader+1@example.com"
    moments = [now - ago for ago in (70, 60, 50, 40, 30, 20, 10)]
    newest_first = moments[::-1]

    def summaries():
        return client.events.list(type="user", user_id="reader-1", summary=True)

    @check("list: an event as sent, with its contact")
    def _():
        request = CreateContactRequestWithExternalId(external_id="reader-1")
        contact = client.contacts.create(request=request)
        client.contacts.update(contact.id, email=email)
        for index, created_at in enumerate(moments):
            event = CreateDataEventRequestWithUserId(
                user_id="reader-1",
                event_name="even" if index % 2 == 0 else "odd",
                created_at=created_at,
            )
            client.events.create(request=event)
        listed = client.events.list(type="user", user_id="reader-1")
        equal(listed.type, "event.list")
        newest = listed.events[0]
        equal(newest.type, "event")
        equal(newest.event_name, "even")
        equal(newest.created_at, now - 10)
        equal(newest.user_id, "reader-1")
        equal(newest.email, email)
        equal(newest.intercom_user_id, contact.id)
        assert isinstance(newest.id, str)

    @check("list: newest first, by user id and by email alike")
    def _():
        for whose in ({"user_id": "reader-1"}, {"email": email}):
            listed = client.events.list(type="user", **whose)
            equal([event.created_at for event in listed.events], newest_first)
            equal(next_of(listed), None, "seven events are one page")

    @check("list: pages of three, to the end")
    def _():
        pages = every_page(client, base_url, type="user", email=email, per_page=3)
        equal([len(page) for page in pages], [3, 3, 1])
        equal([event.created_at for page in pages for event in page], newest_first)

    @check("list: an unknown user is refused")
    def _():
        refused(
            lambda: client.events.list(type="user", user_id="nobody"),
            status=404,
            code="not_found",
        )

    @check("summary: counts, and the first and last time of each name")
    def _():
        summary = summaries()
        equal(summary.type, "event.summary")
        equal(summary.user_id, "reader-1")
        equal(summary.email, email)
        even = next(event for event in summary.events if event.name == "even")
        equal(even.count, 4)
        equal(seconds(even.first), moments[0])
        equal(seconds(even.last), moments[6])
        equal(next(event for event in summary.events if event.name == "odd").count, 3)

    @check("summary: an imported one")
    def _():
        imported = Imported(event_name="imported", count=12, first=now - 900, last=now - 90)
        client.events.summaries(user_id="reader-1", event_summaries=imported)
        found = next(event for event in summaries().events if event.name == "imported")
        equal(found.count, 12)
        equal(seconds(found.first), now - 900)
        equal(seconds(found.last), now - 90)

    @check("summary: importing for an unknown user is refused")
    def _():
        imported = Imported(event_name="imported", count=1, first=now, last=now)
        refused(
            lambda: client.events.summaries(user_id="nobody", event_summaries=imported),
            status=404,
            code="not_found",
        )


def seconds(date):
    """Unix seconds of a date in ISO's spelling."""
    return datetime.fromisoformat(date).timestamp()


def next_of(listed):
    """Where the next page is. The client keeps `pages` as it came, having no type for it."""
    return (getattr(listed, "pages", None) or {}).get("next")


def every_page(client, base_url, **request):
    """Follows `pages.next` until there is none. The client leaves that to its caller."""
    pages = []
    options = None
    while True:
        listed = client.events.list(**request, request_options=options)
        pages.append(listed.events)
        following = next_of(listed)
        if following is None:
            return pages
        assert following.startswith(f"{base_url}/events?"), following
        assert len(pages) < 10, "the pages have no end"
        query = dict(parse_qsl(urlsplit(following).query))
        options = {"additional_query_parameters": query}
