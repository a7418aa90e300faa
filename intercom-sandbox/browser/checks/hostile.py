"""What a sender puts into an event stays text."""

import http.client

# Without a dot, which would be turned into a dash in a name.
MARKUP = "<img src=x onerror=\"hacked=1\"><script>hacked=1</script>"


def markup_in_an_event_stays_text(browser, sandbox):
    statuses = [
        sandbox.send(MARKUP, user_id=f"{MARKUP}'\"", metadata={"<b>key</b>": MARKUP, "link": {"url": f"https://x.example/\"onmouseover=\"window.hacked=1", "value": MARKUP}}),
        # Refused, and shown all the same.
        sandbox.send(MARKUP, metadata={f"{MARKUP}.": [MARKUP], "money": {"amount": MARKUP, "currency": MARKUP}}),
        sandbox.send("dropped", metadata={f"<i>{number}</i>": MARKUP for number in range(22)}),
    ]
    assert statuses == [202, 422, 202], statuses
    with sandbox.client() as client:
        client.request("GET", "/%3Cimg%20src=x%20onerror=window.hacked=1%3E?%3Cscript%3Ewindow.hacked=1%3C/script%3E")
        client.request("POST", "/events", MARKUP.encode())
    browser.wait_for_rows(5)
    assert MARKUP in browser.names()
    for place in range(5):
        browser.run("document.querySelectorAll('.row .summary')[arguments[0]].click()", place)
    browser.wait_for("document.querySelectorAll('.detail').length > 2")
    browser.run("document.querySelectorAll('.choice button:last-child').forEach((button) => button.click())")
    _must_be_text(browser)

    browser.click("#tab-catalogue")
    browser.wait_for("document.querySelectorAll('.entry').length === 2")
    assert MARKUP in browser.texts(".entry h3")
    _must_be_text(browser)

    sandbox.admin("POST", "/faults", {"fault": f"503 on event {MARKUP}"})
    browser.click("#tab-faults")
    browser.wait_for("document.querySelectorAll('.standing tr[data-fault]').length === 1")
    _must_be_text(browser)


def no_link_leads_anywhere_but_to_the_web(browser, sandbox):
    addresses = ["javascript:window.hacked=1", "JaVaScRiPt://x.example/%0Awindow.hacked=1", "data:text/html,<script>parent.hacked=1</script>", "java\tscript:window.hacked=1", "https://x.example/ javascript:1", "vbscript:x", "file:///etc/passwd"]
    # Accepted as a text, and refused as a rich link: both are shown.
    sandbox.send("texts", metadata={f"t{number}": address for number, address in enumerate(addresses)})
    sandbox.send("links", metadata={f"l{number}": {"url": address, "value": "open me"} for number, address in enumerate(addresses)})
    sandbox.send("good", metadata={"link": {"url": "https://good.example/", "value": "open me"}})
    browser.wait_for_rows(3)
    for place in range(3):
        browser.run("document.querySelectorAll('.row .summary')[arguments[0]].click()", place)
    browser.wait_for("document.querySelectorAll('.detail').length === 3")
    hrefs = browser.run("return [...new Set([...document.querySelectorAll('a')].map((a) => a.getAttribute('href')))]")
    assert hrefs == ["https://good.example/"], hrefs
    _must_be_text(browser)


def the_policy_is_sent_and_holds(browser, sandbox):
    connection = http.client.HTTPConnection(sandbox.host)
    connection.request("GET", "/")
    policy = connection.getresponse().getheader("Content-Security-Policy")
    connection.close()
    assert "default-src 'none'" in policy and "script-src 'self';" in policy and "unsafe" not in policy, policy
    # Even what would get into the page by a mistake of ours does not run.
    browser.run(
        """const script = document.createElement("script");
        script.textContent = "window.hacked = 1";
        document.body.append(script);
        const image = document.createElement("img");
        image.setAttribute("onerror", "window.hacked = 1");
        image.src = "https://x.example/";
        document.body.append(image);
        script.remove();
        image.remove();"""
    )
    assert browser.run("return window.hacked ?? null") is None
    browser.expected("Content Security Policy")


def _must_be_text(browser):
    assert browser.run("return window.hacked ?? null") is None
    elements = browser.run("return [...document.querySelectorAll('main img, main script, main b b, main i, main iframe')].map((element) => element.outerHTML)")
    assert elements == [], elements
    handlers = browser.run("return [...document.querySelectorAll('main *')].flatMap((element) => element.getAttributeNames()).filter((name) => name.startsWith('on'))")
    assert handlers == [], handlers
