"""Named checks, one after the other, each ending as one line of JSON on standard output; and the
assertions that most of them share."""

import json
import re
import traceback

from intercom.core.api_error import ApiError

_failures = 0


def check(name):
    """Runs the decorated function as one check. What it raises is its failure, and the checks
    after it run all the same."""

    def run(body):
        global _failures
        reason = None
        try:
            body()
        except Exception:
            _failures += 1
            reason = traceback.format_exc()
        print(json.dumps({"check": name, "reason": reason}), flush=True)

    return run


def failed():
    """How many checks have failed so far."""
    return _failures


def equal(actual, expected, about=""):
    """Asserts that two values are the same, and says which they are if not."""
    assert actual == expected, f"{about}: expected {expected!r}, got {actual!r}"


def refused(call, *, status, code, message=".", kind=ApiError):
    """Asserts that a call is refused with the client's own error, holding Intercom's error list,
    and gives that error for more assertions."""
    try:
        answer = call()
    except ApiError as error:
        assert isinstance(error, kind), f"expected {kind.__name__}, got {error!r}"
        equal(error.status_code, status, str(error.body))
        # Of a body whose status it knows the client makes a model, else it leaves it as it is.
        body = error.body if isinstance(error.body, dict) else error.body.model_dump()
        equal(body["type"], "error.list")
        equal(body["errors"][0]["code"], code)
        assert re.search(message, body["errors"][0]["message"]), body
        equal(body["request_id"], error.headers["x-request-id"])
        return error
    raise AssertionError(f"expected {status} {code}, got {answer!r}")
