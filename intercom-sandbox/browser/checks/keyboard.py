"""The page without a mouse."""


def _has_focus(browser, wanted):
    """Waits until this element has the focus: by its id, the number of its row, or its kind."""
    browser.becomes("document.activeElement.id || document.activeElement.dataset.number || document.activeElement.tagName", wanted)


def keys_select_and_open_rows(browser, sandbox):
    for name in ("one", "two", "three"):
        sandbox.send(name)
    browser.has_rows(3)
    browser.press("j")
    _has_focus(browser, "3")
    browser.press("j", "ArrowDown", "ArrowDown")
    _has_focus(browser, "1")
    browser.press("k", "ArrowUp")
    _has_focus(browser, "3")
    browser.press("j", "Enter")
    browser.shows(".row.open .name", "two")
    # The focus is visible.
    browser.becomes("getComputedStyle(document.activeElement).outlineStyle", "solid")
    browser.press("Escape")
    browser.lacks(".row.open")
    browser.press("Escape")
    _has_focus(browser, "BODY")


def the_focus_keeps_its_row_while_others_arrive(browser, sandbox):
    sandbox.send("one")
    browser.has_rows(1)
    browser.press("j")
    sandbox.send("two")
    browser.has_rows(2)
    _has_focus(browser, "1")


def home_goes_to_the_newest(browser, sandbox):
    for number in range(60):
        sandbox.send("walked", created_at=number)
    browser.reads("#shown", "60 shown")
    browser.press(*"j" * 50)
    _has_focus(browser, "11")
    browser.wait_for("one('#scroller').scrollTop > 0")
    browser.press("Home")
    browser.becomes("one('#scroller').scrollTop", 0)
    browser.press("j")
    _has_focus(browser, "60")


def a_slash_goes_to_the_filter(browser, sandbox):
    sandbox.send("one")
    sandbox.send("two")
    browser.has_rows(2)
    browser.press("2")
    browser.press("/")
    _has_focus(browser, "filter-name")
    browser.press("o", "n", "e")
    browser.has_names("one")
    # Shortcuts do not work in a field.
    browser.press("p", "j", "?")
    browser.becomes("one('#filter-name').value", "onepj?")
    browser.press("Escape")
    _has_focus(browser, "BODY")


def p_pauses(browser, sandbox):
    browser.press("p")
    browser.reads("#pause", "Resume · 0 new")
    browser.press("p")
    browser.reads("#pause", "Pause")


def numbers_and_arrows_change_the_view(browser, sandbox):
    for key, view in (("2", "contacts"), ("3", "catalogue"), ("4", "faults"), ("1", "events")):
        browser.press(key)
        browser.becomes("one('[aria-selected=true]').id", f"tab-{view}")
        browser.becomes("all('[role=tabpanel]').filter((panel) => panel.checkVisibility()).map((panel) => panel.id)", [f"panel-{view}"])
    browser.run("one('#tab-events').focus()")
    browser.press("ArrowRight")
    _has_focus(browser, "tab-contacts")


def a_question_mark_opens_the_help(browser, sandbox):
    browser.press("?")
    browser.tells("#help[open]", "pause")
    browser.press("Escape")
    browser.lacks("#help")
