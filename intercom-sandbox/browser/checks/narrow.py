"""The page on a narrow window."""

import time


def nothing_is_wider_than_the_window(browser, sandbox):
    long = "x" * 300
    sandbox.send("a_name_that_is_" + long, user_id=long, metadata={"key_" + long: "w" * 250, "link": f"https://example.com/{'p' * 200}"})
    sandbox.send("seat_added", created_at=int(time.time()) * 1000, metadata={"key_" + long: [1]})
    sandbox.send("seat_added", created_at=1, metadata={"a": 1})
    sandbox.send("seat_added", created_at=2, metadata={"b": 1})
    sandbox.admin("POST", "/faults", {"fault": f"503 on event {long}"})
    for width in (360, 390, 768, 1000):
        browser.size(width, 740, mobile=width < 500)
        browser.open_page(sandbox.url)
        browser.wait_for_rows(4)
        _must_fit(browser, width)
        browser.run("document.querySelectorAll('.row .summary').forEach((summary) => summary.click())")
        browser.wait_for("document.querySelector('.detail')")
        _must_fit(browser, width)
        for tab, there in (("catalogue", ".entry"), ("faults", ".standing tr[data-fault]")):
            browser.click(f"#tab-{tab}")
            browser.wait_for("document.querySelector(args[0])", there)
            _must_fit(browser, width)


def what_is_used_is_within_reach(browser, sandbox):
    sandbox.send("one")
    browser.size(360, 740, mobile=True)
    browser.open_page(sandbox.url)
    browser.wait_for_rows(1)
    for control in ("#filter-name", "#filter-contact", "#pause", "#clear", "#tab-faults", "#connection", "#help-button", ".row .name", ".row .status"):
        inside = browser.run(
            """const { left, right, top, bottom } = document.querySelector(arguments[0]).getBoundingClientRect();
            return left >= 0 && right <= innerWidth && top >= 0 && bottom <= innerHeight && right > left;""",
            control,
        )
        assert inside, control


def _must_fit(browser, width):
    """The page does not scroll sideways, nor does anything in it but what is meant to."""
    wide = browser.run(
        """const meant = ".chips, .wire";
        return [document.documentElement, ...document.querySelectorAll("main, .panel, .scroller, .detail, .entry, .switch, .sheet")]
          .filter((element) => element.checkVisibility() && element.scrollWidth > element.clientWidth && !element.matches(meant))
          .map((element) => `${element.tagName}.${element.className} ${element.scrollWidth} > ${element.clientWidth}`);"""
    )
    assert wide == [], f"at {width}: {wide}"
