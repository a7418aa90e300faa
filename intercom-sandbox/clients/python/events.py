"""Sending events."""

import time

from intercom import (
    CreateContactRequestWithEmail,
    CreateContactRequestWithExternalId,
    CreateContactRequestWithRole,
    CreateDataEventRequestWithEmail,
    CreateDataEventRequestWithId,
    CreateDataEventRequestWithUserId,
)

from checks import check, equal, refused


def run(client):
    now = int(time.time())
    email = "sender@example.com"

    def names(**whose):
        return [event.event_name for event in client.events.list(type="user", **whose).events]

    def for_user(event_name, **details):
        details = {"user_id": "sender-1", "created_at": now, **details}
        return CreateDataEventRequestWithUserId(event_name=event_name, **details)

    @check("events: for a user id")
    def _():
        client.contacts.create(request=CreateContactRequestWithExternalId(external_id="sender-1"))
        client.events.create(request=for_user("by_user_id"))
        equal(names(user_id="sender-1"), ["by_user_id"])

    @check("events: for an email")
    def _():
        client.contacts.create(request=CreateContactRequestWithEmail(email=email))
        event = CreateDataEventRequestWithEmail(email=email, event_name="by_email", created_at=now)
        client.events.create(request=event)
        equal(names(email=email), ["by_email"])

    @check("events: for a lead's contact id")
    def _():
        lead = client.contacts.create(request=CreateContactRequestWithRole(role="lead"))
        event = CreateDataEventRequestWithId(
            id=lead.id, event_name="by_contact_id", created_at=now
        )
        client.events.create(request=event)
        equal(names(intercom_user_id=lead.id), ["by_contact_id"])

    @check("events: metadata comes back as sent")
    def _():
        # The client lets no other kinds through than strings.
        metadata = {
            "project_name": "Apollo",
            "page": "https://example.com/apollo",
            "stripe_customer": "cus_7",
        }
        client.events.create(request=for_user("with_metadata", metadata=metadata))
        listed = client.events.list(type="user", user_id="sender-1").events
        event = next(event for event in listed if event.event_name == "with_metadata")
        equal(event.metadata, metadata)

    @check("events: a duplicate is accepted and ignored")
    def _():
        client.events.create(request=for_user("twice"))
        client.events.create(request=for_user("twice"))
        equal(names(user_id="sender-1").count("twice"), 1)

    @check("events: an unknown user is refused")
    def _():
        refused(
            lambda: client.events.create(request=for_user("e", user_id="nobody")),
            status=404,
            code="not_found",
            message="^User Not Found$",
        )

    @check("events: a blank name is refused with its field")
    def _():
        error = refused(
            lambda: client.events.create(request=for_user("")),
            status=400,
            code="parameter_not_found",
        )
        equal(error.body["errors"][0]["field"], "event_name")

    @check("events: a long text is refused with its key")
    def _():
        error = refused(
            lambda: client.events.create(request=for_user("essay", metadata={"essay": "x" * 256})),
            status=422,
            code="parameter_invalid",
        )
        equal(error.body["errors"][0]["field"], "metadata.essay")
