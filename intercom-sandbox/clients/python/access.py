"""Who may call, and in which version of the API."""

from intercom import CreateDataEventRequestWithUserId, Intercom, SingleFilterSearchRequest
from intercom.errors import UnauthorizedError

from checks import check, equal, refused


def run(client, base_url):
    stranger = Intercom(base_url=base_url, token="of-nobody")
    refusal = {"status": 401, "code": "unauthorized", "message": "Access Token Invalid"}

    @check("me: the admin and its app")
    def _():
        me = client.admins.identify()
        equal(me.type, "admin")
        assert isinstance(me.id, str)
        assert "@" in me.email
        equal(me.app.type, "app")
        assert isinstance(me.app.id_code, str)
        assert isinstance(me.app.created_at, int)

    @check("wrong token: reading the admin")
    def _():
        refused(stranger.admins.identify, **refusal)

    @check("wrong token: sending an event")
    def _():
        event = CreateDataEventRequestWithUserId(user_id="1", event_name="e", created_at=1700000000)
        refused(lambda: stranger.events.create(request=event), **refusal, kind=UnauthorizedError)

    @check("wrong token: searching contacts")
    def _():
        query = SingleFilterSearchRequest(field="email", operator="=", value="a")
        refused(lambda: stranger.contacts.search(query=query), **refusal, kind=UnauthorizedError)

    def identify_as(version):
        # This client has no option for the version, and by default sends none.
        options = {"additional_headers": {"Intercom-Version": version}}
        return client.admins.identify(request_options=options)

    @check("versions: one of the client's")
    def _():
        for version in ["2.7", "2.11", "Unstable"]:
            equal(identify_as(version).type, "admin", version)

    @check("versions: an unknown one")
    def _():
        refused(lambda: identify_as("9.9"), status=400, code="intercom_version_invalid")
