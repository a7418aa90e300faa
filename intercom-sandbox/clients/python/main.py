"""Runs Intercom's official Python client against the sandbox: `python main.py SANDBOX LIMITED`,
two base URLs, of which the second allows few requests in ten seconds. The token is in
INTERCOM_API_KEY, where the client itself looks for it."""

import json
import sys
from importlib.metadata import version

from intercom import Intercom

import access
import checks
import contacts
import events
import faults
import listing
import rate_limit
import retiring
import search


def main(sandbox, limited):
    package = "python-intercom"
    print(json.dumps({"client": f"{package} {version(package)}"}), flush=True)
    client = Intercom(base_url=sandbox)
    access.run(client, sandbox)
    events.run(client)
    listing.run(client, sandbox)
    contacts.run(client)
    retiring.run(client)
    search.run(client)
    faults.run(client, sandbox)
    rate_limit.run(limited)
    return 0 if checks.failed() == 0 else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
