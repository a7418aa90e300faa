"""Headless Chromium and Firefox, driven over WebDriver by nothing but the standard library."""

import base64
import contextlib
import json
import os
import re
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"

# WebDriver's codes of keys without a character.
KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "ArrowDown": "\ue015", "ArrowUp": "\ue013", "Home": "\ue011", "ArrowRight": "\ue014", "Tab": "\ue004", "Backspace": "\ue003"}

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
    "--lang=en-GB",
]

# The part of the page in the message of a failed check, in characters.
MAX_EXCERPT = 3000

# Functions for the scripts of checks. `text` and `texts` return visible text.
SHORTHANDS = """
const one = (selector) => document.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];
const shown = (selector) => one(selector)?.checkVisibility() ?? false;
const text = (selector) => (shown(selector) ? one(selector).innerText : null);
const texts = (selector) => all(selector).filter((element) => element.checkVisibility()).map((element) => element.innerText);
"""

# The errors about an element that the page replaced or moved meanwhile.
TRANSIENT_ERRORS = ("stale element reference", "no such element", "element click intercepted", "element not interactable")


class WebDriverError(AssertionError):
    """An error of the driver."""

    def __init__(self, kind, message):
        super().__init__(f"{kind}: {message}")
        self.kind = kind


class Skipped(Exception):
    """A browser cannot run a check."""


class Browser:
    """One browser with one page. A context manager: the browser ends at its end."""

    def __init__(self, *driver, address):
        self.profile = tempfile.TemporaryDirectory(prefix="sandbox-browser-", ignore_cleanup_errors=True)
        environment = os.environ | {"TZ": "UTC", "LC_ALL": "en_GB.UTF-8"}
        self.process = subprocess.Popen(driver, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
        self.base = self._address(address)
        self.session = None

    def _address(self, pattern):
        for line in self.process.stdout:
            if found := re.search(pattern, line):
                # Drains the rest of the output.
                threading.Thread(target=self.process.stdout.read, daemon=True).start()
                return f"http://127.0.0.1:{found[1]}"
        raise RuntimeError("the driver did not start")

    def _begin(self, wanted):
        wanted = wanted | {"timeouts": {"script": 100_000}}
        self.session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

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
            raise WebDriverError(value["error"], value["message"].splitlines()[0]) from None

    def _do(self, path, body=None):
        return self._call("POST", f"/session/{self.session}{path}", body)

    def _ask(self, path):
        return self._call("GET", f"/session/{self.session}{path}")

    def open(self, url):
        self._do("/url", {"url": url})

    def reload(self):
        self._do("/refresh")

    def run(self, script, *arguments):
        """Runs the body of a function in the page, and returns its value."""
        return self._do("/execute/sync", {"script": SHORTHANDS + script, "args": list(arguments)})

    def wait_for(self, expression, *arguments, within=15):
        """Waits until an expression is true in the page, and returns its value."""
        there, last = self._wait_until(expression, arguments, [], within)
        assert there, self._never(expression, arguments, "true", last)
        return last

    def becomes(self, expression, wanted, *arguments, within=15):
        """Waits until an expression has this value."""
        there, last = self._wait_until(expression, arguments, [wanted], within)
        assert there, self._never(expression, arguments, repr(wanted), last)

    def _wait_until(self, expression, arguments, wanted, within):
        """Returns whether the expression became true, or the value in `wanted`, and its last value.

        The page itself repeats the test, so that it misses no short state.
        """
        script = f"""{SHORTHANDS}
            const [given, wanted, within, done] = arguments;
            const end = performance.now() + within * 1000;
            const look = (args) => ({expression});
            const isIt = (value) => (wanted.length === 0 ? Boolean(value) : JSON.stringify(value) === JSON.stringify(wanted[0]));
            let last, there;
            const again = () => {{
              try {{
                last = look(given);
                there = isIt(last);
              }} catch (error) {{
                last = String(error);
                there = false;
              }}
              // The page may replace an element before the driver reads it.
              if (there || performance.now() > end) done([there, last instanceof Node ? true : last ?? null]);
              else setTimeout(again, 15);
            }};
            again();
        """
        return self._do("/execute/async", {"script": script, "args": [list(arguments), wanted, within]})

    def _never(self, expression, arguments, wanted, last):
        page = self.run("return `${location}\n${document.body.innerText}`")
        if len(page) > MAX_EXCERPT:
            page = f"{page[:MAX_EXCERPT]} …"
        return f"never {wanted}: {expression} {list(arguments)}, but {last!r}. On the page:\n{page}"

    def act_on(self, selector, action, body=None, within=15):
        """Acts on a visible element, and again on its replacement if the page draws it anew."""
        end = time.monotonic() + within
        while True:
            self.wait_for("shown(args[0])", selector)
            try:
                element = self._do("/element", {"using": "css selector", "value": selector})[ELEMENT]
                return self._do(f"/element/{element}/{action}", body)
            except WebDriverError as error:
                if error.kind not in TRANSIENT_ERRORS or time.monotonic() > end:
                    raise

    def click(self, selector):
        self.act_on(selector, "click")

    def type(self, selector, text):
        """Replaces the text in a field."""
        self.wait_for("shown(args[0])", selector)
        self.run("one(arguments[0]).select()", selector)
        self.act_on(selector, "value", {"text": text or KEYS["Backspace"]})

    def press(self, *keys):
        """Presses keys, one after the other, at the focus."""
        pressed = [KEYS.get(key, key) for key in keys]
        actions = [{"type": kind, "value": key} for key in pressed for kind in ("keyDown", "keyUp")]
        self._do("/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    @contextlib.contextmanager
    def more_pages(self):
        """Returns a function that opens an address in a new front tab, and closes its tabs later."""
        first = self._ask("/window")
        opened = []

        def another(url):
            handle = self._do("/window/new", {"type": "tab"})["handle"]
            opened.append(handle)
            self._do("/window", {"handle": handle})
            self.open(url)

        try:
            yield another
        finally:
            for handle in opened:
                self._do("/window", {"handle": handle})
                self._call("DELETE", f"/session/{self.session}/window")
            self._do("/window", {"handle": first})

    def screenshot(self):
        return base64.b64decode(self._ask("/screenshot"))

    def point(self, *steps):
        """Moves the mouse, step by step: `down`, `up`, or a place."""
        actions = [{"type": f"pointer{step.capitalize()}", "button": 0} if isinstance(step, str) else {"type": "pointerMove", "duration": 0, "x": round(step["x"]), "y": round(step["y"])} for step in steps]
        self._do("/actions", {"actions": [{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": actions}]})

    def asks(self, script):
        """Runs the body of a function that calls `done` at its end, and returns the argument."""
        return self._do("/execute/async", {"script": f"const done = arguments[arguments.length - 1];{script}", "args": []})


class Chromium(Browser):
    def __init__(self):
        super().__init__("chromedriver", "--port=0", address=r"started successfully on port (\d+)")

    def __enter__(self):
        options = {"args": [*ARGUMENTS, f"--user-data-dir={self.profile.name}"]}
        self._begin({"goog:chromeOptions": options, "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"}})
        # Fixes time zone and language.
        self.cdp("Emulation.setTimezoneOverride", timezoneId="UTC")
        self.cdp("Emulation.setLocaleOverride", locale="en-GB")
        self.size(1280, 800)
        return self

    def slow_down(self, times, script):
        """Slows the processor by a factor, and runs a script before those of each page."""
        self.cdp("Emulation.setCPUThrottlingRate", rate=times)
        self.cdp("Page.addScriptToEvaluateOnNewDocument", source=script)

    def cdp(self, command, **parameters):
        return self._do("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def size(self, width, height, mobile=False):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def media(self, dark=False, still=False):
        """Sets the preferences of the person: dark colours, little motion."""
        wishes = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce" if still else "no-preference"}
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": name, "value": value} for name, value in wishes.items()])

    def allow_clipboard(self, origin):
        self.cdp("Browser.grantPermissions", origin=origin, permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])

    def errors(self):
        """Returns the errors since the last call."""
        return [entry["message"] for entry in self.log("browser") if entry["level"] == "SEVERE"]

    def requested(self):
        """Returns the addresses of the requests since the last call."""
        messages = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]

    def log(self, kind):
        """Returns the log since the last call: of `browser` (console) or `performance` (network)."""
        return self._do("/se/log", {"type": kind})


class Firefox(Browser):
    """Firefox has no log of errors and of the network. A page lists what it has loaded."""

    # The narrowest window.
    NARROWEST = 500

    PREFERENCES = {
        "intl.accept_languages": "en-GB",
        "intl.locale.requested": "en-GB",
        # Reads the clipboard without a prompt.
        "dom.events.testing.asyncClipboard": True,
        "datareporting.policy.dataSubmissionEnabled": False,
    }

    def __init__(self):
        super().__init__("geckodriver", "--port=0", "--allow-system-access", address=r"Listening on 127\.0\.0\.1:(\d+)")

    def __enter__(self):
        options = {"args": ["-headless", "-profile", self.profile.name], "prefs": self.PREFERENCES}
        self._begin({"browserName": "firefox", "moz:firefoxOptions": options})
        self.size(1280, 800)
        return self

    def slow_down(self, times, script):
        raise Skipped("Firefox has no slow mode")

    def cdp(self, command, **parameters):
        raise Skipped(f"Firefox has no {command}")

    def size(self, width, height, mobile=False):
        if width < self.NARROWEST:
            raise Skipped(f"Firefox has no window of {width} pixels")
        # The frame of the window takes some of it.
        around = self.run("return [outerWidth - innerWidth, outerHeight - innerHeight]")
        self._do("/window/rect", {"width": width + around[0], "height": height + around[1]})
        self.becomes("[innerWidth, innerHeight]", [width, height])

    def media(self, dark=False, still=False):
        self._do("/moz/context", {"context": "chrome"})
        wishes = [["layout.css.prefers-color-scheme.content-override", 0 if dark else 1], ["ui.prefersReducedMotion", int(still)]]
        self._do("/execute/sync", {"script": "for (const [name, value] of arguments[0]) Services.prefs.setIntPref(name, value)", "args": [wishes]})
        self._do("/moz/context", {"context": "content"})

    def allow_clipboard(self, origin):
        """A preference allows it."""

    def errors(self):
        return []

    def requested(self):
        return self.run("return performance.getEntriesByType('resource').map(({ name }) => name)")
