"""What happens beyond the rate limit, with the client's own retries and without."""

import time

from intercom import Intercom
from intercom.core.api_error import ApiError

from checks import check, equal


def run(base_url):
    client = Intercom(base_url=base_url)

    @check("rate limit: an error with the time of the reset")
    def _():
        error = exhaust(client)
        equal(error.body["errors"][0]["code"], "rate_limit_exceeded")
        equal(error.headers["x-ratelimit-limit"], "3")
        equal(error.headers["x-ratelimit-remaining"], "0")
        wait = int(error.headers["x-ratelimit-reset"]) - time.time()
        assert -1 < wait <= 11, f"the window ends in {wait} s"

    @check("rate limit: the client retries by itself")
    def _():
        exhaust(client)
        # The client counts its tries from two: four means two retries.
        me = client.admins.identify(request_options={"max_retries": 4})
        equal(me.type, "admin")


def exhaust(client):
    """Calls until the limit. A window may end in between, but not many times."""
    for _ in range(20):
        try:
            client.admins.identify()
        except ApiError as error:
            equal(error.status_code, 429, str(error.body))
            return error
    raise AssertionError("the sandbox allowed all twenty requests")
