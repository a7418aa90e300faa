"""Faults, which a person adds and removes."""


def _is_on(browser, *switches):
    """Waits until these switches are on, and no others."""
    browser.becomes("all('[role=switch][aria-checked=true]').map((one) => one.id)", [f"switch-{switch}" for switch in switches])


def _turn_on(browser, switch):
    browser.click("#tab-faults")
    browser.click(f"#switch-{switch}")
    _is_on(browser, switch)


def a_switch_affects_clients_until_it_is_off(browser, sandbox):
    assert sandbox.send("before") == 202
    _turn_on(browser, "outage")
    assert sandbox.send("during") == 503
    browser.reads("#fault-count", "1")
    browser.becomes("one('#tab-faults').textContent", "Faults 1 active")
    browser.shows(".active-faults tbody td", "outage", "1", "1", "until removed", "Remove")
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


def its_fields_set_share_and_duration(browser, sandbox):
    browser.click("#tab-faults")
    browser.type("[aria-label=Percent]", "100")
    browser.type("[aria-label='for the next how many requests']", "2")
    browser.click("input[value=next]")
    _turn_on(browser, "errors")
    [fault] = sandbox.admin("GET", "/faults")["faults"]
    assert (fault["fault"], fault["left"]) == ("500 for 100% for next 2", 2), fault
    assert [sandbox.send("a", created_at=second) for second in (1, 2, 3)] == [500, 500, 202]
    _is_on(browser)


def a_switch_shows_its_active_fault(browser, sandbox):
    browser.click("#tab-faults")
    card = "one('#switch-errors').closest('.switch')"
    browser.wait_for(f"{card}.querySelector('select').checkVisibility()")
    sandbox.admin("POST", "/faults", {"fault": "503 for 6%"})
    browser.becomes(f"{card}.querySelector('h3').innerText", "503 for 6%")
    browser.becomes("one('#switch-errors').ariaLabel", "503 for 6%")
    sandbox.admin("POST", "/faults", {"fault": "delay 7s for next 3"})
    browser.becomes("one('#switch-delay').closest('.switch').querySelector('h3').innerText", "delay 7s for next 3")
    # A switch that is off shows its fields.
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
    # More than the limit of two windows.
    answers = [sandbox.send("a", created_at=second) for second in range(7)]
    assert 429 in answers, answers


def a_custom_fault_is_added_and_removed(browser, sandbox):
    browser.click("#tab-faults")
    browser.type("#custom-fault", "503 on event tea_made")
    browser.press("Enter")
    browser.shows(".active-faults tbody code", "503 on event tea_made")
    # The switch with this status stays off, because the fault has a scope.
    _is_on(browser)
    assert [sandbox.send("tea_made"), sandbox.send("coffee_made")] == [503, 202]
    browser.click(".active-faults tbody button")
    browser.tells(".active-faults", "No fault is active")
    assert sandbox.send("tea_made") == 202


def a_wrong_fault_shows_an_error(browser, sandbox):
    browser.expected("400")
    browser.click("#tab-faults")
    browser.type("#custom-fault", "503 sometimes")
    browser.click(".custom button")
    browser.tells("#panel-faults [role=alert]", "`sometimes` is not a clause")


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
    # Delays the first list of active faults.
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
    # The page loads the list again only after that answer.
    browser.wait_for("window.asked > 2")
    browser.becomes("turns", ["true"])


def all_faults_are_removed_at_once(browser, sandbox):
    for fault in ("503 for next 5", "delay 1ms"):
        sandbox.admin("POST", "/faults", {"fault": fault})
    browser.click("#tab-faults")
    browser.shows(".active-faults tbody code", "503 for next 5", "delay 1ms")
    browser.click(".sheet-head button")
    browser.tells(".active-faults", "No fault is active")
    assert sandbox.admin("GET", "/faults")["faults"] == []
