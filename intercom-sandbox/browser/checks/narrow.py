"""The page in narrow and wide windows."""

import time


def nothing_is_wider_than_the_window(browser, sandbox):
    _send_what_is_long(sandbox)
    for width in (360, 390, 768, 1000, 1400):
        browser.size(width, 740, mobile=width < 500)
        browser.open_page(sandbox.url)
        browser.has_rows(4)
        _must_fit(browser, width)
        for place in range(2):
            browser.open_row(place)
        _must_fit(browser, width)
        for tab, there in (("contacts", "#panel-contacts td"), ("catalogue", ".entry"), ("faults", ".active-faults tr[data-fault]")):
            browser.click(f"#tab-{tab}")
            browser.wait_for("shown(args[0])", there)
            _must_fit(browser, width)


def no_row_covers_another(browser, sandbox):
    _send_what_is_long(sandbox)
    for width in (360, 900, 1400):
        browser.size(width, 4000, mobile=width < 500)
        browser.open_page(sandbox.url)
        browser.has_rows(4)
        _must_adjoin(browser)
        for place in (0, 2):
            browser.open_row(place)
        _must_adjoin(browser)
        # A narrower window makes open rows higher.
        browser.size(width - 40, 4000, mobile=width < 500)
        _must_adjoin(browser)


def the_controls_are_in_view(browser, sandbox):
    sandbox.send("one")
    browser.size(360, 740, mobile=True)
    browser.open_page(sandbox.url)
    browser.has_rows(1)
    for control in ("#filter-name", "#filter-contact", "#pause", "#clear", "#tab-faults", "#connection", "#help-button", ".row .name", ".row .status"):
        browser.wait_for(
            """(({ left, right, top, bottom }) => left >= 0 && right <= innerWidth && top >= 0 && bottom <= innerHeight && right > left)(
              one(args[0]).getBoundingClientRect())""",
            control,
        )


def column_titles_are_above_their_columns(browser, sandbox):
    # More rows than fit, for a scroll bar.
    for second in range(60):
        sandbox.send("one", created_at=second, metadata={"a": 1})
    browser.reads("#shown", "60 shown")
    for width in (900, 1280, 1400):
        browser.size(width, 740)
        browser.becomes(
            """["time", "outcome", "name", "contact", "pairs", "status"].filter((column, place) => {
              const [title, cell] = [all(".columns > span")[place + 1], one(`.row .${column}`)].map((element) => element.getBoundingClientRect());
              return Math.abs(title.left - cell.left) > 0.5 || Math.abs(title.right - cell.right) > 0.5;
            })""",
            [],
        )


def _send_what_is_long(sandbox):
    long = "x" * 300
    sandbox.send("seat_added", created_at=1, metadata={"a": 1})
    sandbox.send("seat_added", created_at=2, metadata={"b": 1})
    # The newest, which the checks open.
    sandbox.send("seat_added", created_at=int(time.time()) * 1000, metadata={"key_" + long: [1]})
    sandbox.send("a_name_that_is_" + long, user_id=long, metadata={"key_" + long: "w" * 250, "link": f"https://example.com/{'p' * 200}"})
    sandbox.admin("POST", "/faults", {"fault": f"503 on event {long}"})


def _must_fit(browser, width):
    """Only elements made for it scroll sideways."""
    browser.becomes(
        """[document.documentElement, ...all("main, .panel, .scroller, .detail, .entry, .switch, .sheet, .strip, .bar")]
          .filter((element) => element.checkVisibility() && element.scrollWidth > element.clientWidth)
          .map((element) => `${element.tagName}.${element.className} ${element.scrollWidth} > ${element.clientWidth} of ${args[0]}`)""",
        [],
        width,
    )


def _must_adjoin(browser):
    """Each row begins where the row above it ends, and is as high as its content."""
    browser.becomes(
        """all(".row").map((row) => row.getBoundingClientRect()).flatMap(({ top }, place, rows) =>
          place > 0 && Math.abs(top - rows[place - 1].bottom) > 0.5 ? [`row ${place} begins at ${top}, after ${rows[place - 1].bottom}`] : [])""",
        [],
    )
    browser.becomes("all('.summary').filter((summary) => summary.scrollHeight > summary.clientHeight).length", 0)
