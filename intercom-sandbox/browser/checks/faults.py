"""What goes wrong on request, switched on and off by hand."""


def _is_on(browser, *switches):
    """Waits until these switches are on, and no others."""
    browser.becomes("all('[role=switch][aria-checked=true]').map((one) => one.id)", [f"switch-{switch}" for switch in switches])


def _turn_on(browser, switch):
    browser.click("#tab-faults")
    browser.click(f"#switch-{switch}")
    _is_on(browser, switch)


def a_switch_is_felt_by_a_client_and_lifted_again(browser, sandbox):
    assert sandbox.send("before") == 202
    _turn_on(browser, "outage")
    assert sandbox.send("during") == 503
    browser.reads("#fault-count", "1")
    browser.becomes("one('#tab-faults').textContent", "Faults 1 standing")
    browser.shows(".standing tbody td", "outage", "1", "1", "until lifted", "Lift")
    browser.click("#switch-outage")
    _is_on(browser)
    assert sandbox.send("after") == 202
    browser.lacks("#fault-count")
    browser.click("#tab-events")
    browser.shows(".row .badge", "Accepted", "Faulted", "Accepted")


def every_switch_turns_on_and_off(browser, sandbox):
    browser.click("#tab-faults")
    switches = browser.wait_for("all('[role=switch]').map((one) => one.id.slice(7))")
    assert len(switches) == 12, switches
    for switch in switches:
        _turn_on(browser, switch)
        assert len(sandbox.admin("GET", "/faults")["faults"]) == 1, switch
        browser.click(f"#switch-{switch}")
        _is_on(browser)
        assert sandbox.admin("GET", "/faults")["faults"] == [], switch
    return f"{len(switches)} switches"


def its_fields_say_how_much_and_how_long(browser, sandbox):
    browser.click("#tab-faults")
    browser.type("[aria-label=Percent]", "100")
    browser.type("[aria-label='for the next how many requests']", "2")
    browser.click("input[value=next]")
    _turn_on(browser, "errors")
    [fault] = sandbox.admin("GET", "/faults")["faults"]
    assert (fault["fault"], fault["left"]) == ("500 for 100% for next 2", 2), fault
    assert [sandbox.send("a", created_at=second) for second in (1, 2, 3)] == [500, 500, 202]
    _is_on(browser)


def a_card_shows_the_fault_that_stands(browser, sandbox):
    browser.click("#tab-faults")
    card = "one('#switch-errors').closest('.switch')"
    browser.wait_for(f"{card}.querySelector('select').checkVisibility()")
    sandbox.admin("POST", "/faults", {"fault": "503 for 6%"})
    browser.becomes(f"{card}.querySelector('h3').innerText", "503 for 6%")
    browser.becomes("one('#switch-errors').ariaLabel", "503 for 6%")
    sandbox.admin("POST", "/faults", {"fault": "delay 7s for next 3"})
    browser.becomes("one('#switch-delay').closest('.switch').querySelector('h3').innerText", "delay 7s for next 3")
    # Off again, it shows what would be switched on.
    sandbox.admin("DELETE", "/faults")
    browser.wait_for(f"{card}.querySelector('select').checkVisibility()")
    browser.becomes("one('#switch-errors').ariaLabel", "status for percent %")


def the_chart_takes_no_room_beside_the_other_views(browser, sandbox):
    browser.wait_for("one('.strip').offsetHeight > 80")
    for tab in ("faults", "contacts", "catalogue"):
        browser.click(f"#tab-{tab}")
        browser.wait_for("!shown('#chart') && one('.strip').offsetHeight < 40")
    browser.click("#tab-events")
    browser.wait_for("shown('#chart')")


def a_lower_limit_is_seen_in_the_budget(browser, sandbox):
    browser.click("#tab-faults")
    browser.type("[aria-label=Requests]", "3")
    _turn_on(browser, "limit")
    browser.tells("#budget", "of 3 left")
    # So many that two windows have no room for them.
    answers = [sandbox.send("a", created_at=second) for second in range(7)]
    assert 429 in answers, answers


def any_other_is_written_and_lifted_by_its_button(browser, sandbox):
    browser.click("#tab-faults")
    browser.type("#own-fault", "503 on event tea_made")
    browser.press("Enter")
    browser.shows(".standing tbody code", "503 on event tea_made")
    # It is not what the switch with this status turns on.
    _is_on(browser)
    assert [sandbox.send("tea_made"), sandbox.send("coffee_made")] == [503, 202]
    browser.click(".standing tbody button")
    browser.tells(".standing", "No fault is active")
    assert sandbox.send("tea_made") == 202


def a_fault_that_is_none_is_told(browser, sandbox):
    browser.expected("400")
    browser.click("#tab-faults")
    browser.type("#own-fault", "503 sometimes")
    browser.click(".own button")
    browser.tells("#panel-faults [role=alert]", "`sometimes` is not understood")


def a_switch_that_cannot_be_turned_on_says_why(browser, sandbox):
    browser.expected("400")
    browser.click("#tab-faults")
    browser.type("[aria-label=Percent]", "")
    browser.click("#switch-errors")
    browser.wait_for("one('#switch-errors').closest('.switch').querySelector('[role=alert]')?.innerText.startsWith('Not done: ')")
    _is_on(browser)
    browser.type("[aria-label=Percent]", "5")
    browser.click("#switch-errors")
    _is_on(browser, "errors")
    browser.lacks("#panel-faults [role=alert]")


def a_late_answer_does_not_draw_over_a_later_one(browser, sandbox):
    browser.click("#tab-faults")
    # The first answer on which faults stand is held back.
    browser.run(
        """const { fetch } = window;
        window.asked = 0;
        window.fetch = async (path, options) => {
          const answer = await fetch(path, options);
          if (options.method !== "GET") return answer;
          window.asked += 1;
          if (window.asked === 1) await new Promise((resolve) => (window.release = resolve));
          return answer;
        };
        window.turns = [];
        new MutationObserver(() => turns.push(one("#switch-hang").ariaChecked)).observe(one("#switch-hang"), { attributeFilter: ["aria-checked"] });"""
    )
    browser.wait_for("window.release")
    browser.click("#switch-hang")
    _is_on(browser, "hang")
    browser.run("release()")
    # It was the page's turn to ask again only after that answer.
    browser.wait_for("window.asked > 2")
    browser.becomes("turns", ["true"])


def all_are_lifted_at_once(browser, sandbox):
    for fault in ("503 for next 5", "delay 1ms"):
        sandbox.admin("POST", "/faults", {"fault": fault})
    browser.click("#tab-faults")
    browser.shows(".standing tbody code", "503 for next 5", "delay 1ms")
    browser.click(".sheet-head button")
    browser.tells(".standing", "No fault is active")
    assert sandbox.admin("GET", "/faults")["faults"] == []
