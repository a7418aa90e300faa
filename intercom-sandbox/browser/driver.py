"""Headless Chromium, driven over WebDriver by nothing but the standard library."""

import base64
import json
import re
import subprocess
import tempfile
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"

# What WebDriver calls the keys that have no character.
KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "ArrowDown": "\ue015", "ArrowUp": "\ue013", "Home": "\ue011", "Tab": "\ue004", "Backspace": "\ue003"}

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--lang=en-GB",
]


class Browser:
    """One Chromium with one page. Use it as a context: it ends with it."""

    def __init__(self):
        self.profile = tempfile.TemporaryDirectory(prefix="sandbox-browser-", ignore_cleanup_errors=True)
        self.process = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.base = self._address()
        self.session = None

    def _address(self):
        for line in self.process.stdout:
            if found := re.search(r"started successfully on port (\d+)", line):
                return f"http://127.0.0.1:{found[1]}"
        raise RuntimeError("chromedriver did not start")

    def __enter__(self):
        options = {"args": [*ARGUMENTS, f"--user-data-dir={self.profile.name}"]}
        logs = {"performance": "ALL", "browser": "ALL"}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": logs, "timeouts": {"script": 60_000}}
        answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.session = answer["sessionId"]
        # So that what is shown does not depend on where this runs.
        self.cdp("Emulation.setTimezoneOverride", timezoneId="UTC")
        self.cdp("Emulation.setLocaleOverride", locale="en-GB")
        self.size(1280, 800)
        return self

    def __exit__(self, *_):
        try:
            if self.session:
                self._call("DELETE", f"/session/{self.session}")
        finally:
            self.process.terminate()
            self.process.wait()
            self.profile.cleanup()

    def _call(self, method, path, body=None):
        data = None if method != "POST" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise AssertionError(f"{value['error']}: {value['message'].splitlines()[0]}") from None

    def _do(self, path, body=None):
        return self._call("POST", f"/session/{self.session}{path}", body)

    def _ask(self, path):
        return self._call("GET", f"/session/{self.session}{path}")

    def cdp(self, command, **parameters):
        return self._do("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def size(self, width, height, mobile=False):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def dark(self, on):
        scheme = {"name": "prefers-color-scheme", "value": "dark" if on else "light"}
        self.cdp("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, url):
        self._do("/url", {"url": url})

    def run(self, script, *arguments):
        """Runs the body of a function in the page, and gives what it returns."""
        return self._do("/execute/sync", {"script": script, "args": list(arguments)})

    def wait_for(self, condition, *arguments, within=15):
        """Waits, a picture at a time, until an expression is true of the page, and gives its value."""
        script = f"""
            const done = arguments[arguments.length - 1];
            const end = performance.now() + {within * 1000};
            let last;
            const look = (...args) => ({condition});
            const again = () => {{
              try {{ last = look(...arguments); }} catch (error) {{ last = null; }}
              if (last) done([last]);
              else if (performance.now() > end) done(null);
              else setTimeout(again, 15);
            }};
            again();
        """
        found = self._do("/execute/async", {"script": script, "args": list(arguments)})
        assert found is not None, f"did not become true: {condition} {list(arguments)}"
        return found[0]

    def element(self, selector):
        self.wait_for("document.querySelector(args[0])?.checkVisibility()", selector)
        return self._do("/element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        self._do(f"/element/{self.element(selector)}/click")

    def type(self, selector, text):
        """Replaces what is in a field, as a person does."""
        field = self.element(selector)
        self.run("arguments[0].select()", {ELEMENT: field})
        self._do(f"/element/{field}/value", {"text": text or KEYS["Backspace"]})

    def press(self, *keys):
        """Presses keys, one after the other, wherever the focus is."""
        pressed = [KEYS.get(key, key) for key in keys]
        actions = [{"type": kind, "value": key} for key in pressed for kind in ("keyDown", "keyUp")]
        self._do("/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0])?.innerText ?? null", selector)

    def texts(self, selector):
        return self.run("return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText)", selector)

    def screenshot(self):
        return base64.b64decode(self._ask("/screenshot"))

    def log(self, kind):
        """What was logged since it was last asked: `browser` for the console, `performance` for the network."""
        return self._do("/se/log", {"type": kind})

    def requested(self):
        """The addresses that the page asked for since this was last asked."""
        messages = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]

    # What all checks need of the page.

    def fresh(self):
        """As after a start: no page, and what was logged before is forgotten."""
        self.open("about:blank")
        self.size(1280, 800)
        self.dark(False)
        self.fresh_log()

    def fresh_log(self):
        self.log("browser")
        self.log("performance")

    def expected(self, *words):
        """Forgets complaints about what a check does on purpose; there must not be others."""
        complaints = [entry["message"] for entry in self.log("browser") if entry["level"] == "SEVERE"]
        others = [complaint for complaint in complaints if not any(word in complaint for word in words)]
        assert not others, others
        self.log("performance")

    def open_page(self, url, view=""):
        self.open(f"{url}/{view}")
        self.wait_for("document.querySelector('#connection').textContent === 'live'")

    def must_be_clean(self, url):
        """Nothing broke, nothing was blocked, and nobody else was asked for anything."""
        complaints = [entry["message"] for entry in self.log("browser") if entry["level"] == "SEVERE"]
        assert not complaints, complaints
        foreign = [address for address in self.requested() if not address.startswith((f"{url}/", "about:", "data:"))]
        assert not foreign, foreign

    def wait_for_rows(self, count):
        """Waits until so many rows are there; only those in view are."""
        self.wait_for("document.querySelectorAll('.row').length === args[0]", count)

    def names(self):
        """The names in the rows, from the top."""
        return self.texts(".row .name")
