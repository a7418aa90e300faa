"""Contacts: made, found and changed."""

from intercom import (
    CreateContactRequestWithEmail,
    CreateContactRequestWithExternalId,
    CreateContactRequestWithRole,
)

from checks import check, equal, refused


def run(client):
    missing = {"status": 404, "code": "not_found"}

    def user(external_id, **details):
        request = CreateContactRequestWithExternalId(external_id=external_id, **details)
        return client.contacts.create(request=request)

    @check("contacts: a user by external id")
    def _():
        contact = user("made-1", name="Ada")
        complete(contact)
        equal(contact.role, "user")
        equal(contact.external_id, "made-1")
        equal(contact.name, "Ada")

    @check("contacts: a user by email")
    def _():
        request = CreateContactRequestWithEmail(email="made@example.com")
        contact = client.contacts.create(request=request)
        complete(contact)
        equal(contact.role, "user")
        equal(contact.email, "made@example.com")

    @check("contacts: a lead")
    def _():
        request = CreateContactRequestWithRole(role="lead", name="Grace")
        contact = client.contacts.create(request=request)
        complete(contact)
        equal(contact.role, "lead")
        equal(contact.name, "Grace")

    @check("contacts: every detail comes back as given")
    def _():
        details = {
            "phone": "+353871234567",
            "signed_up_at": 1700000000,
            "last_seen_at": 1700000001,
            "owner_id": 12,
            "unsubscribed_from_emails": True,
            "custom_attributes": {"plan": "premium", "seats": 7, "paying": True},
        }
        avatar = "https://example.com/ada.png"
        made = user("made-6", avatar=avatar, **details)
        for key, value in details.items():
            equal(getattr(made, key), value, key)
        # Intercom answers with an object, other than the client's type says.
        equal(made.avatar, {"type": "avatar", "image_url": avatar})

    @check("contacts: an existing one, with its id in the message")
    def _():
        made = [
            CreateContactRequestWithExternalId(external_id="made-1"),
            CreateContactRequestWithEmail(email="made@example.com"),
        ]
        for request in made:
            error = refused(
                lambda: client.contacts.create(request=request),
                status=409,
                code="conflict",
                message=r"^A contact matching those details already exists with id=\S+$",
            )
            contact_id = error.body["errors"][0]["message"].split("id=")[1]
            existing = client.contacts.find(contact_id)
            for key, value in request.model_dump(exclude_unset=True).items():
                equal(getattr(existing, key), value, key)

    @check("contacts: found by id")
    def _():
        made = user("made-2")
        equal(client.contacts.find(made.id).model_dump(), made.model_dump())

    @check("contacts: found by external id")
    def _():
        external_id = "made 3 + ü"
        made = user(external_id)
        found = client.contacts.show_contact_by_external_id(external_id)
        equal(found.id, made.id)
        equal(found.external_id, external_id)

    @check("contacts: an unknown one")
    def _():
        refused(lambda: client.contacts.find("nobody"), **missing)
        refused(lambda: client.contacts.show_contact_by_external_id("nobody"), **missing)
        refused(lambda: client.contacts.update("nobody", name="N"), **missing)

    @check("contacts: an update changes only the given members")
    def _():
        made = user("made-4", name="Ada")
        email = "made4@example.com"
        changed = client.contacts.update(made.id, email=email, phone="+353871234567")
        complete(changed)
        equal(changed.email, email)
        equal(changed.phone, "+353871234567")
        equal(changed.name, "Ada")
        equal(changed.external_id, "made-4")
        assert changed.updated_at >= made.updated_at
        equal(client.contacts.find(made.id).model_dump(), changed.model_dump())

    @check("contacts: a lead becomes a user")
    def _():
        lead = client.contacts.create(request=CreateContactRequestWithRole(role="lead"))
        changed = client.contacts.update(lead.id, role="user", external_id="made-5")
        equal(changed.role, "user")
        equal(client.contacts.show_contact_by_external_id("made-5").id, lead.id)


def complete(contact):
    """Asserts what the client's types promise of every contact."""
    equal(contact.type, "contact")
    for key in ("id", "workspace_id", "role"):
        assert isinstance(getattr(contact, key), str), key
    for key in ("has_hard_bounced", "marked_email_as_spam", "unsubscribed_from_emails"):
        assert isinstance(getattr(contact, key), bool), key
    for key in ("created_at", "updated_at"):
        assert isinstance(getattr(contact, key), int), key
