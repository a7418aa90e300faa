"""The page without a mouse."""


def _focused(browser):
    return browser.run("return document.activeElement.id || document.activeElement.dataset.number || document.activeElement.tagName")


def rows_are_walked_and_opened(browser, sandbox):
    for name in ("one", "two", "three"):
        sandbox.send(name)
    browser.wait_for_rows(3)
    browser.press("j")
    assert _focused(browser) == "3", "the newest first"
    browser.press("j", "ArrowDown", "ArrowDown")
    assert _focused(browser) == "1", "no further than the oldest"
    browser.press("k", "ArrowUp")
    assert _focused(browser) == "3"
    browser.press("j", "Enter")
    browser.wait_for("document.querySelector('.row.open .name')?.textContent === 'two'")
    outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "the focus is to be seen"
    browser.press("Escape")
    browser.wait_for("!document.querySelector('.row.open')")
    browser.press("Escape")
    assert _focused(browser) == "BODY"


def the_focus_stays_while_more_arrives(browser, sandbox):
    sandbox.send("one")
    browser.wait_for_rows(1)
    browser.press("j")
    sandbox.send("two")
    browser.wait_for_rows(2)
    assert _focused(browser) == "1"


def a_slash_leads_to_the_filter(browser, sandbox):
    sandbox.send("one")
    sandbox.send("two")
    browser.wait_for_rows(2)
    browser.press("/")
    assert _focused(browser) == "filter-name"
    browser.press("o", "n", "e")
    browser.wait_for_rows(1)
    browser.press("p", "j", "?")
    assert browser.run("return document.querySelector('#filter-name').value") == "onepj?", "keys are typed there"
    browser.press("Escape")
    assert _focused(browser) == "BODY"


def p_pauses(browser, sandbox):
    browser.press("p")
    assert browser.text("#pause") == "Resume · 0 new"
    browser.press("p")
    assert browser.text("#pause") == "Pause"


def numbers_and_arrows_turn_the_views(browser, sandbox):
    for key, view in (("2", "catalogue"), ("3", "faults"), ("1", "events")):
        browser.press(key)
        assert browser.run("return document.querySelector('[aria-selected=true]').id") == f"tab-{view}"
        assert browser.run("return document.querySelector('[role=tabpanel]:not([hidden])').id") == f"panel-{view}"
    browser.run("document.querySelector('#tab-events').focus()")
    browser.cdp("Input.dispatchKeyEvent", type="keyDown", key="ArrowRight", code="ArrowRight", windowsVirtualKeyCode=39)
    assert _focused(browser) == "tab-catalogue"


def a_question_mark_helps(browser, sandbox):
    browser.press("?")
    browser.wait_for("document.querySelector('#help').open")
    assert "pause" in browser.text("#help")
    browser.press("Escape")
    browser.wait_for("!document.querySelector('#help').open")
