"""Searching contacts, and the list of all."""

from intercom import (
    CreateContactRequestWithExternalId,
    CreateContactRequestWithRole,
    MultipleFilterSearchRequest,
    SingleFilterSearchRequest,
    StartingAfterPaging,
)

from checks import check, equal, refused

PEOPLE = [
    ("search-1", "ada@search.example", "Ada Lovelace"),
    ("search-2", "grace@search.example", "Grace Hopper"),
    ("search-3", "mary@search.example", "Mary Somerville"),
    (None, "lead@search.example", "Ada Byron"),
]
EVERYBODY = sorted(name for _, _, name in PEOPLE)


def run(client):
    here = only("email", "~", "@search.example")

    def find(query):
        return names(client.contacts.search(query=query).items)

    def find_here(query):
        return find(every(here, query))

    @check("search: one filter")
    def _():
        for external_id, email, name in PEOPLE:
            if external_id is None:
                request = CreateContactRequestWithRole(role="lead", name=name)
            else:
                request = CreateContactRequestWithExternalId(external_id=external_id, name=name)
            made = client.contacts.create(request=request)
            client.contacts.update(made.id, email=email)
        page = client.contacts.search(query=only("email", "=", "grace@search.example"))
        equal(page.response.type, "list")
        equal(page.response.total_count, 1)
        equal(page.items[0].type, "contact")
        equal(page.items[0].external_id, "search-2")
        equal(page.has_next, False)
        equal(find(only("external_id", "=", "nobody")), [])

    @check("search: every operator")
    def _():
        found = [
            ("external_id", "=", "search-1", ["Ada Lovelace"]),
            ("role", "!=", "user", ["Ada Byron"]),
            ("external_id", "IN", ["search-1", "search-3"], ["Ada Lovelace", "Mary Somerville"]),
            ("name", "NIN", ["Ada Byron", "Grace Hopper"], ["Ada Lovelace", "Mary Somerville"]),
            ("created_at", ">", 1000000000, EVERYBODY),
            ("created_at", "<", 1000000000, []),
            ("name", "~", "race", ["Grace Hopper"]),
            ("name", "!~", "Ada", ["Grace Hopper", "Mary Somerville"]),
            ("name", "^", "Ada", ["Ada Byron", "Ada Lovelace"]),
            ("name", "$", "ville", ["Mary Somerville"]),
        ]
        for field, operator, value, expected in found:
            about = f"{field} {operator} {value}"
            equal(find_here(only(field, operator, value)), expected, about)

    @check("search: AND and OR, nested")
    def _():
        ada_or_mary = either(only("name", "^", "Ada"), only("name", "^", "Mary"))
        here_and_user = every(here, only("role", "=", "user"))
        expected = ["Ada Lovelace", "Mary Somerville"]
        equal(find(every(here_and_user, ada_or_mary)), expected)

    @check("search: pages of two, to the end")
    def _():
        # The client's own iterator requests the first page for ever, so the check follows the pages.
        found = []
        pagination = StartingAfterPaging(per_page=2)
        while True:
            page = client.contacts.search(query=here, pagination=pagination)
            equal(len(page.items), 2)
            equal(page.response.pages.total_pages, 2)
            found += page.items
            assert len(found) <= len(PEOPLE), "the pages have no end"
            if not page.has_next:
                break
            cursor = page.response.pages.next.starting_after
            pagination = StartingAfterPaging(per_page=2, starting_after=cursor)
        equal(names(found), EVERYBODY)

    @check("search: an unknown operator is refused")
    def _():
        # The client's own type lets no such operator through.
        query = {"query": {"field": "email", "operator": "≈", "value": "a"}}
        options = {"additional_body_parameters": query}
        refused(
            lambda: client.contacts.search(query=here, request_options=options),
            status=400,
            code="parameter_invalid",
        )

    @check("contacts: all, in pages")
    def _():
        everybody = [contact.id for contact in client.contacts.list()]
        in_pages = [contact.id for contact in client.contacts.list(per_page=3)]
        assert len(everybody) >= len(PEOPLE)
        equal(len(set(in_pages)), len(in_pages))
        equal(in_pages, everybody)


def only(field, operator, value):
    return SingleFilterSearchRequest(field=field, operator=operator, value=value)


def every(*filters):
    return MultipleFilterSearchRequest(operator="AND", value=list(filters))


def either(*filters):
    return MultipleFilterSearchRequest(operator="OR", value=list(filters))


def names(contacts):
    return sorted(contact.name for contact in contacts)
