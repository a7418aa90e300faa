"""What goes wrong on request, switched on and off by hand."""


def _is_on(switch):
    return f"document.querySelector('#switch-{switch}').getAttribute('aria-checked') === 'true'"


def _turn_on(browser, switch):
    browser.click("#tab-faults")
    browser.click(f"#switch-{switch}")
    browser.wait_for(_is_on(switch))


def a_switch_is_felt_by_a_client_and_lifted_again(browser, sandbox):
    assert sandbox.send("before") == 202
    _turn_on(browser, "outage")
    assert sandbox.send("during") == 503
    assert browser.text("#fault-count") == "1"
    browser.wait_for("document.querySelector('.standing tbody').innerText.includes('outage')")
    browser.wait_for("document.querySelector('.standing tbody td:nth-child(3)').textContent === '1'")
    browser.click("#switch-outage")
    browser.wait_for(f"!({_is_on('outage')})")
    assert sandbox.send("after") == 202
    browser.wait_for("!document.querySelector('#fault-count').checkVisibility()")
    browser.click("#tab-events")
    browser.wait_for_rows(3)
    assert browser.texts(".row .badge") == ["Accepted", "Faulted", "Accepted"]


def every_switch_turns_on_and_off(browser, sandbox):
    browser.click("#tab-faults")
    switches = browser.run("return [...document.querySelectorAll('[role=switch]')].map((one) => one.id.slice(7))")
    assert len(switches) == 12, switches
    for switch in switches:
        _turn_on(browser, switch)
        assert len(sandbox.admin("GET", "/faults")["faults"]) == 1, switch
        on = browser.run("return [...document.querySelectorAll('[aria-checked=true]')].map((one) => one.id.slice(7))")
        assert on == [switch], on
        browser.click(f"#switch-{switch}")
        browser.wait_for(f"!({_is_on(switch)})")
        assert sandbox.admin("GET", "/faults")["faults"] == [], switch
    return f"{len(switches)} switches"


def its_fields_say_how_much_and_how_long(browser, sandbox):
    browser.click("#tab-faults")
    browser.type("[aria-label=Percent]", "100")
    browser.type("[aria-label='for the next how many requests']", "2")
    browser.click("input[value=next]")
    _turn_on(browser, "errors")
    [fault] = sandbox.admin("GET", "/faults")["faults"]
    assert fault["fault"] == "500 for 100% for next 2" or fault["left"] == 2, fault
    assert [sandbox.send("a", created_at=second) for second in (1, 2, 3)] == [500, 500, 202]
    browser.wait_for(f"!({_is_on('errors')})")


def a_lower_limit_is_seen_in_the_budget(browser, sandbox):
    browser.click("#tab-faults")
    browser.type("[aria-label=Requests]", "3")
    _turn_on(browser, "limit")
    browser.wait_for("document.querySelector('#budget').innerText.includes('of 3 left')")
    answers = [sandbox.send("a", created_at=second) for second in range(5)]
    assert 429 in answers, answers


def any_other_is_written_and_lifted_by_its_button(browser, sandbox):
    browser.click("#tab-faults")
    browser.type("#own-fault", "418 on event tea_made")
    browser.press("Enter")
    browser.wait_for("document.querySelector('.standing tbody code')?.textContent === '418 on event tea_made'")
    assert [sandbox.send("tea_made"), sandbox.send("coffee_made")] == [418, 202]
    browser.click(".standing tbody button")
    browser.wait_for("document.querySelector('.standing').innerText.includes('None')")
    assert sandbox.send("tea_made") == 202


def a_fault_that_is_none_is_told(browser, sandbox):
    browser.click("#tab-faults")
    browser.type("#own-fault", "503 sometimes")
    browser.click(".own button")
    browser.wait_for("document.querySelector('.error').textContent.includes('`sometimes` is not understood')")
    browser.expected("400")


def all_are_lifted_at_once(browser, sandbox):
    for fault in ("503 for next 5", "delay 1ms"):
        sandbox.admin("POST", "/faults", {"fault": fault})
    browser.click("#tab-faults")
    browser.wait_for("document.querySelectorAll('.standing tbody tr[data-fault]').length === 2")
    browser.click(".sheet-head button")
    browser.wait_for("document.querySelector('.standing').innerText.includes('None')")
    assert sandbox.admin("GET", "/faults")["faults"] == []
