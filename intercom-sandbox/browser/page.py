"""The page in the browser, and the conditions of the checks.

Each condition waits until it holds. After a deadline it fails with the content of the page. No check
reads the page only once, because the page draws a moment later.
"""

from driver import Chromium, Firefox

# The factor of the processor in a slow browser, and the delay of each frame and answer, in
# milliseconds.
SLOWER = 4
LATE = 150

SLOW = f"""{{
const {{ requestAnimationFrame, fetch }} = window;
const later = () => new Promise((resolve) => setTimeout(resolve, {LATE}));
window.requestAnimationFrame = (draw) => requestAnimationFrame(() => later().then(() => draw(performance.now())));
window.fetch = (...request) => later().then(() => fetch(...request)).then((answer) => later().then(() => answer));
}}"""


class Page:
    """The part for every browser. The classes at the end add the browser."""

    def __init__(self, slow=False):
        super().__init__()
        self.slow = slow
        self.expected_errors = []
        self.opened = []

    def __enter__(self):
        super().__enter__()
        if self.slow:
            self.slow_down(SLOWER, SLOW)
        return self

    def fresh(self):
        """Resets the browser: opens an empty page, and forgets the logs."""
        self.open("about:blank")
        self.size(1280, 800)
        self.media()
        self.expected_errors = []
        self.opened = []
        self.errors()
        self.requested()

    def open_page(self, url, view=""):
        self.opened.append(url)
        self.open(f"{url}/{view}")
        self.reads("#connection", "live")

    # Conditions that must come true.

    def shows(self, selector, *wanted):
        """Waits until these are the texts of all such elements."""
        self.becomes("texts(args[0])", list(wanted), selector)

    def reads(self, selector, wanted):
        """Waits until this is the text of the first such element."""
        self.becomes("text(args[0])", wanted, selector)

    def tells(self, selector, *parts):
        """Waits until the text of the first such element has all of these parts, and returns it."""
        return self.wait_for("args[1].every((part) => text(args[0]).includes(part)) && text(args[0])", selector, parts)

    def lacks(self, selector):
        """Waits until no such element is visible."""
        self.becomes("all(args[0]).filter((element) => element.checkVisibility()).length", 0, selector)

    def has_rows(self, count):
        """Waits until the list has this number of rows in view."""
        self.becomes("all('.row').length", count)

    def has_names(self, *wanted):
        """Waits until these are the names in the rows, from the top."""
        self.shows(".row .name", *wanted)

    def open_row(self, place=0):
        """Opens the row at a place from the top of the view."""
        self.wait_for("all('.row .summary').length > args[0]", place)
        self.run("all('.row')[arguments[0]].querySelector('.summary').click()", place)
        self.wait_for("all('.row')[args[0]].querySelector('.detail')", place)

    # Conditions that must always hold.

    def expected(self, *words):
        """Allows errors of the browser with these words, which a check causes on purpose."""
        self.expected_errors += words

    def must_be_clean(self):
        """Fails if the browser reported an error, or sent a request to any other address."""
        others = [error for error in self.errors() if not any(word in error for word in self.expected_errors)]
        assert not others, others
        own = ("about:", "data:", "blob:", *(f"{url}/" for url in self.opened))
        foreign = [address for address in self.requested() if not address.startswith(own)]
        assert not foreign, foreign


class ChromiumPage(Page, Chromium):
    pass


class FirefoxPage(Page, Firefox):
    pass
