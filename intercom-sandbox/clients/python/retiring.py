"""Contacts: archived, blocked, deleted and merged."""

import time

from intercom import (
    CreateContactRequestWithExternalId,
    CreateContactRequestWithRole,
    CreateDataEventRequestWithId,
    CreateDataEventRequestWithUserId,
)
from intercom.core.api_error import ApiError

from checks import check, equal, refused


def run(client):
    now = int(time.time())

    def user(external_id):
        request = CreateContactRequestWithExternalId(external_id=external_id)
        return client.contacts.create(request=request)

    def twins(external_id):
        """A lead and a user with one email, which Intercom requires for a merge."""
        lead = client.contacts.create(request=CreateContactRequestWithRole(role="lead"))
        both = (lead, user(external_id))
        email = f"{external_id}@example.com"
        return [client.contacts.update(contact.id, email=email) for contact in both]

    @check("archive: a contact, and unarchive it")
    def _():
        contact = user("archived-1")
        reference = {"type": "contact", "id": contact.id, "external_id": "archived-1"}
        gone = client.contacts.archive(contact.id)
        equal(gone.model_dump(), {**reference, "archived": True})

        refused(
            lambda: user("archived-1"),
            status=409,
            code="conflict",
            message="^An archived contact matching those details already exists "
            f"with id={contact.id}$",
        )

        back = client.contacts.unarchive(contact.id)
        equal(back.model_dump(), {**reference, "archived": False})
        equal(client.contacts.find(contact.id).external_id, "archived-1")

    @check("archive: no events for an archived contact")
    def _():
        client.contacts.archive(user("archived-2").id)
        event = CreateDataEventRequestWithUserId(
            user_id="archived-2", event_name="e", created_at=now
        )
        refused(lambda: client.events.create(request=event), status=404, code="not_found")

    @check("block: the answer has blocked")
    def _():
        lead = client.contacts.create(request=CreateContactRequestWithRole(role="lead"))
        blocked = client.contacts.block_contact(lead.id)
        reference = {"type": "contact", "id": lead.id, "external_id": None}
        equal(blocked.model_dump(), {**reference, "blocked": True})

    @check("delete: a contact is gone")
    def _():
        contact = user("deleted-1")
        gone = client.contacts.delete(contact.id)
        reference = {"type": "contact", "id": contact.id, "external_id": "deleted-1"}
        equal(gone.model_dump(), {**reference, "deleted": True})
        refused(lambda: client.contacts.find(contact.id), status=404, code="not_found")
        refused(lambda: client.contacts.delete(contact.id), status=404, code="not_found")
        assert user("deleted-1").id != contact.id

    @check("merge: a lead into a user, with its events")
    def _():
        lead, into = twins("merged-1")
        for contact, name, ago in [(lead, "as_lead", 2), (into, "as_user", 1)]:
            event = CreateDataEventRequestWithId(
                id=contact.id, event_name=name, created_at=now - ago
            )
            client.events.create(request=event)

        merged = client.contacts.merge_lead_in_user(lead_id=lead.id, contact_id=into.id)
        equal(merged.id, into.id)
        equal(merged.role, "user")
        equal(merged.external_id, "merged-1")

        listed = client.events.list(type="user", user_id="merged-1")
        equal([event.event_name for event in listed.events], ["as_user", "as_lead"])

    @check("merge: a request for the lead names the user")
    def _():
        lead, into = twins("merged-2")
        client.contacts.merge_lead_in_user(lead_id=lead.id, contact_id=into.id)
        error = refused(
            lambda: client.contacts.find(lead.id), status=410, code="contact_merged"
        )
        assert f"/contacts/{into.id}>" in error.headers["link"], error.headers["link"]

    @check("merge: a user into a user is refused")
    def _():
        one, other = user("merged-3"), user("merged-4")
        try:
            client.contacts.merge_lead_in_user(lead_id=one.id, contact_id=other.id)
        except ApiError as error:
            assert 400 <= error.status_code < 500, error
            equal(error.body["type"], "error.list")
        else:
            raise AssertionError("expected a refusal")
        equal(client.contacts.find(one.id).id, one.id)
