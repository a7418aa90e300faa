"""The sandbox as a program, and a client that sends to it."""

import http.client
import json
import re
import subprocess
import time
from urllib.parse import urlsplit

TOKEN = "token-of-the-browser-tests"


class Sandbox:
    """A context manager: the sandbox ends at its end."""

    def __init__(self, program, *options, port="0"):
        self.program = program
        arguments = [program, "--port", port, "--token", TOKEN, "--json", *options]
        self.process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.url = self._address()
        # No code reads the rest of the output.
        self.host = urlsplit(self.url).netloc

    def _address(self):
        for line in self.process.stderr:
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                return found[0]
        raise RuntimeError("the sandbox did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        """Ends the sandbox, as `kill` does."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(timeout=20)
        self.process.stderr.close()

    def client(self):
        return Client(self.host)

    def send(self, name, **members):
        """Sends one event, and returns the status of the answer."""
        with self.client() as client:
            return client.send(name, **members)

    def admin(self, method, path, body=None):
        """Calls the admin API."""
        connection = http.client.HTTPConnection(self.host, timeout=30)
        text = None if body is None else json.dumps(body)
        connection.request(method, "/_sandbox" + path, text, {"Content-Type": "application/json"})
        answer = json.load(connection.getresponse())
        connection.close()
        return answer


class Client:
    """One connection of a client."""

    HEADERS = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json", "Content-Type": "application/json"}

    def __init__(self, host):
        self.connection = http.client.HTTPConnection(host, timeout=30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def request(self, method, path, body=None):
        self.connection.request(method, path, body, self.HEADERS)
        answer = self.connection.getresponse()
        answer.read()
        return answer.status

    def send(self, name, **members):
        event = {"event_name": name, "created_at": int(time.time()), "user_id": "42"} | members
        kept = {key: value for key, value in event.items() if value is not None}
        return self.request("POST", "/events", json.dumps(kept).encode())
