"""The content of an event stays text."""

import http.client

# Without a dot, because Intercom turns it into a dash in a name.
MARKUP = "<img src=x onerror=\"hacked=1\"><script>hacked=1</script>"


def markup_in_an_event_stays_text(browser, sandbox):
    statuses = [
        sandbox.send(MARKUP, user_id=f"{MARKUP}'\"", metadata={"<b>key</b>": MARKUP, "link": {"url": "https://x.example/\"onmouseover=\"window.hacked=1", "value": MARKUP}}),
        # The page shows a refused event too.
        sandbox.send(MARKUP, metadata={f"{MARKUP}.": [MARKUP], "money": {"amount": MARKUP, "currency": MARKUP}}),
        sandbox.send("dropped", metadata={f"<i>{number}</i>": MARKUP for number in range(22)}),
    ]
    assert statuses == [202, 422, 202], statuses
    with sandbox.client() as client:
        client.request("GET", "/%3Cimg%20src=x%20onerror=window.hacked=1%3E?%3Cscript%3Ewindow.hacked=1%3C/script%3E")
        client.request("POST", "/events", MARKUP.encode())
    _open_all(browser, 5)
    browser.wait_for("texts('.row .name').includes(args[0])", MARKUP)
    browser.run("all('.choice button:last-child').forEach((button) => button.click())")
    browser.wait_for("texts('.wire').includes(args[0])", MARKUP)
    _must_be_text(browser)

    browser.click("#tab-catalogue")
    browser.becomes("texts('.entry h3').toSorted()", [MARKUP, "dropped"])
    _must_be_text(browser)

    sandbox.admin("POST", "/faults", {"fault": f"503 on event {MARKUP}"})
    browser.click("#tab-faults")
    browser.shows(".active-faults tr[data-fault] code", f"503 on event {MARKUP}")
    _must_be_text(browser)


def invisible_characters_are_shown_and_change_no_direction(browser, sandbox):
    sandbox.send("a\u202eb\u0007c", user_id="x\u200by", metadata={"k\u0000": "1"})
    sandbox.send("shown", user_id="\u05d0\u05d1", metadata={"turned": "a\u202egpj.exe", "line": "one\ntwo"})
    browser.has_names("shown", "aU+202EbU+0007c")
    browser.becomes("text('.row:nth-child(2) .contact')", "user_id xU+200By")
    browser.becomes("texts('.row:nth-child(1) .pair')", ["turned aU+202Egpj.exe", "line one↵two"])
    # The page isolates each value, so that its direction does not affect its neighbours.
    browser.becomes("all('.row .name, .row .pair .value, .row .pair .key').filter((element) => element.innerText !== '' && !element.querySelector('bdi')).length", 0)
    browser.becomes("all('.row .contact span:last-child > bdi').length", 2)
    browser.open_row(1)
    browser.becomes("texts('.control').length > 3 && texts('.wire')[0].includes('\\\\u202e')", True)
    with sandbox.client() as client:
        client.request("POST", "/events", "{\"a\": \"\u202e\"}".encode())
    browser.has_rows(3)
    browser.open_row(0)
    browser.wait_for("texts('.wire').some((text) => text.includes('\"U+202E\"'))")


def only_web_addresses_are_links(browser, sandbox):
    addresses = ["javascript:window.hacked=1", "JaVaScRiPt://x.example/%0Awindow.hacked=1", "data:text/html,<script>parent.hacked=1</script>", "java\tscript:window.hacked=1", "https://x.example/ javascript:1", "vbscript:x", "file:///etc/passwd"]
    # Intercom accepts them as text, and refuses them as rich links. The page shows both.
    sandbox.send("texts", metadata={f"t{number}": address for number, address in enumerate(addresses)})
    sandbox.send("links", metadata={f"l{number}": {"url": address, "value": "open me"} for number, address in enumerate(addresses)})
    sandbox.send("good", metadata={"link": {"url": "https://good.example/", "value": "open me"}})
    _open_all(browser, 3)
    browser.becomes("all('.facts dt').filter((key) => /^[tl][0-9]$/.test(key.innerText)).length", 2 * len(addresses))
    browser.becomes("[...new Set(all('main a[target]').map((a) => a.getAttribute('href')))]", ["https://good.example/"])
    _must_be_text(browser)


def the_content_security_policy_holds(browser, sandbox):
    browser.expected("Content Security Policy")
    connection = http.client.HTTPConnection(sandbox.host)
    connection.request("GET", "/")
    policy = connection.getresponse().getheader("Content-Security-Policy")
    connection.close()
    assert "default-src 'none'" in policy and "script-src 'self';" in policy and "unsafe" not in policy, policy
    # The browser does not even run a script that a mistake of the page inserts.
    browser.run(
        """window.blocked = [];
        document.addEventListener("securitypolicyviolation", (event) => blocked.push(event.effectiveDirective));
        const script = document.createElement("script");
        script.textContent = "window.hacked = 1";
        const image = document.createElement("img");
        image.setAttribute("onerror", "window.hacked = 1");
        image.src = "data:image/png,none";
        const style = document.createElement("style");
        document.body.append(script, image, style);
        fetch("data:,").catch(() => {});"""
    )
    browser.becomes("[...new Set(blocked)].toSorted()", ["connect-src", "script-src-attr", "script-src-elem", "style-src-elem"])
    assert browser.run("return window.hacked ?? null") is None


def _open_all(browser, count):
    """Opens every row, in a window that shows all of them."""
    browser.size(1280, 6000)
    browser.has_rows(count)
    for place in range(count):
        browser.open_row(place)
    browser.becomes("all('.detail').length", count)


def _must_be_text(browser):
    assert browser.run("return window.hacked ?? null") is None
    elements = browser.run("return all('main img, main script, main b b, main i, main iframe').map((element) => element.outerHTML)")
    assert elements == [], elements
    handlers = browser.run("return all('main *').flatMap((element) => element.getAttributeNames()).filter((name) => name.startsWith('on'))")
    assert handlers == [], handlers
