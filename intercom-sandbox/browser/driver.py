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

# What WebDriver calls the keys that have no character.
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

# How much of the page is told where something is not as it should be, in characters.
TOLD = 3000

# What every script of a check may use. A text is one that is to be seen.
SHORTHANDS = """
const one = (selector) => document.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];
const shown = (selector) => one(selector)?.checkVisibility() ?? false;
const text = (selector) => (shown(selector) ? one(selector).innerText : null);
const texts = (selector) => all(selector).filter((element) => element.checkVisibility()).map((element) => element.innerText);
"""

# What is said of an element that was drawn anew, or moved, just when it was to be used.
PASSING = ("stale element reference", "no such element", "element click intercepted", "element not interactable")


class WebDriverError(AssertionError):
    """What the driver answers that does not do what it was asked."""

    def __init__(self, kind, message):
        super().__init__(f"{kind}: {message}")
        self.kind = kind


class Untried(Exception):
    """What a browser cannot do, so that a check is not made."""


class Browser:
    """One browser with one page. Use it as a context: it ends with it."""

    def __init__(self, *driver, address):
        self.profile = tempfile.TemporaryDirectory(prefix="sandbox-browser-", ignore_cleanup_errors=True)
        environment = os.environ | {"TZ": "UTC", "LC_ALL": "en_GB.UTF-8"}
        self.process = subprocess.Popen(driver, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
        self.base = self._address(address)
        self.session = None

    def _address(self, pattern):
        for line in self.process.stdout:
            if found := re.search(pattern, line):
                # What it says later has to go somewhere.
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
        """Runs the body of a function in the page, and gives what it returns."""
        return self._do("/execute/sync", {"script": SHORTHANDS + script, "args": list(arguments)})

    def wait_for(self, expression, *arguments, within=15):
        """Waits until an expression is true of the page, and gives its value."""
        there, last = self._wait_until(expression, arguments, [], within)
        assert there, self._never(expression, arguments, "true", last)
        return last

    def becomes(self, expression, wanted, *arguments, within=15):
        """Waits until an expression has this value."""
        there, last = self._wait_until(expression, arguments, [wanted], within)
        assert there, self._never(expression, arguments, repr(wanted), last)

    def _wait_until(self, expression, arguments, wanted, within):
        """Whether it came to be true, or what `wanted` holds, and its last value.

        The page itself looks again and again, so that nothing is missed between two calls.
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
              // An element may be drawn anew before it is told of.
              if (there || performance.now() > end) done([there, last instanceof Node ? true : last ?? null]);
              else setTimeout(again, 15);
            }};
            again();
        """
        return self._do("/execute/async", {"script": script, "args": [list(arguments), wanted, within]})

    def _never(self, expression, arguments, wanted, last):
        told = self.run("return `${location}\n${document.body.innerText}`")
        if len(told) > TOLD:
            told = f"{told[:TOLD]} …"
        return f"never {wanted}: {expression} {list(arguments)}, but {last!r}. On the page:\n{told}"

    def act_on(self, selector, action, body=None, within=15):
        """Does something with an element that is to be seen; where it is drawn anew meanwhile, with the new one."""
        end = time.monotonic() + within
        while True:
            self.wait_for("shown(args[0])", selector)
            try:
                element = self._do("/element", {"using": "css selector", "value": selector})[ELEMENT]
                return self._do(f"/element/{element}/{action}", body)
            except WebDriverError as error:
                if error.kind not in PASSING or time.monotonic() > end:
                    raise

    def click(self, selector):
        self.act_on(selector, "click")

    def type(self, selector, text):
        """Replaces what is in a field, as a person does."""
        self.wait_for("shown(args[0])", selector)
        self.run("one(arguments[0]).select()", selector)
        self.act_on(selector, "value", {"text": text or KEYS["Backspace"]})

    def press(self, *keys):
        """Presses keys, one after the other, wherever the focus is."""
        pressed = [KEYS.get(key, key) for key in keys]
        actions = [{"type": kind, "value": key} for key in pressed for kind in ("keyDown", "keyUp")]
        self._do("/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    @contextlib.contextmanager
    def more_pages(self):
        """Gives what opens an address in a tab of its own, in front of the others; all of them are closed at the end."""
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
        """What a mouse does, step by step: `down`, `up`, or a place to go to."""
        actions = [{"type": f"pointer{step.capitalize()}", "button": 0} if isinstance(step, str) else {"type": "pointerMove", "duration": 0, "x": round(step["x"]), "y": round(step["y"])} for step in steps]
        self._do("/actions", {"actions": [{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": actions}]})

    def asks(self, script):
        """Runs the body of a function that ends by calling `done`, and gives what that was called with."""
        return self._do("/execute/async", {"script": f"const done = arguments[arguments.length - 1];{script}", "args": []})


class Chromium(Browser):
    def __init__(self):
        super().__init__("chromedriver", "--port=0", address=r"started successfully on port (\d+)")

    def __enter__(self):
        options = {"args": [*ARGUMENTS, f"--user-data-dir={self.profile.name}"]}
        self._begin({"goog:chromeOptions": options, "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"}})
        # So that what is shown does not depend on where this runs.
        self.cdp("Emulation.setTimezoneOverride", timezoneId="UTC")
        self.cdp("Emulation.setLocaleOverride", locale="en-GB")
        self.size(1280, 800)
        return self

    def slow_down(self, times, script):
        """Makes its processor so many times slower, and runs a script before those of each page."""
        self.cdp("Emulation.setCPUThrottlingRate", rate=times)
        self.cdp("Page.addScriptToEvaluateOnNewDocument", source=script)

    def cdp(self, command, **parameters):
        return self._do("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def size(self, width, height, mobile=False):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def media(self, dark=False, still=False):
        """What the person who looks has asked for: dark colours, little motion."""
        wishes = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce" if still else "no-preference"}
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": name, "value": value} for name, value in wishes.items()])

    def allow_clipboard(self, origin):
        self.cdp("Browser.grantPermissions", origin=origin, permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])

    def complaints(self):
        """What broke or was blocked since this was last asked."""
        return [entry["message"] for entry in self.log("browser") if entry["level"] == "SEVERE"]

    def requested(self):
        """The addresses that were asked for since this was last asked."""
        messages = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]

    def log(self, kind):
        """What was logged since it was last asked: `browser` for the console, `performance` for the network."""
        return self._do("/se/log", {"type": kind})


class Firefox(Browser):
    """It does not tell what it complains of, and asks less of its network; what a page loaded it tells."""

    # Its window is no narrower than this.
    NARROWEST = 500

    PREFERENCES = {
        "intl.accept_languages": "en-GB",
        "intl.locale.requested": "en-GB",
        # Reads the clipboard without a question.
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
        raise Untried("Firefox is not made slower")

    def cdp(self, command, **parameters):
        raise Untried(f"Firefox has no {command}")

    def size(self, width, height, mobile=False):
        if width < self.NARROWEST:
            raise Untried(f"Firefox has no window of {width} pixels")
        # What is around the page takes some of it.
        around = self.run("return [outerWidth - innerWidth, outerHeight - innerHeight]")
        self._do("/window/rect", {"width": width + around[0], "height": height + around[1]})
        self.becomes("[innerWidth, innerHeight]", [width, height])

    def media(self, dark=False, still=False):
        self._do("/moz/context", {"context": "chrome"})
        wishes = [["layout.css.prefers-color-scheme.content-override", 0 if dark else 1], ["ui.prefersReducedMotion", int(still)]]
        self._do("/execute/sync", {"script": "for (const [name, value] of arguments[0]) Services.prefs.setIntPref(name, value)", "args": [wishes]})
        self._do("/moz/context", {"context": "content"})

    def allow_clipboard(self, origin):
        """A preference does it."""

    def complaints(self):
        return []

    def requested(self):
        return self.run("return performance.getEntriesByType('resource').map(({ name }) => name)")
