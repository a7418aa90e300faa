"""The page in the browser, and what every check may ask of it.

What is asked of the page waits until it is so, up to a deadline, and tells what the page had where it never
was. Nothing is read once and taken for the last word: what is drawn is drawn a moment later.
"""

from driver import Chromium, Firefox

# How many times slower the processor is in a slow browser, and how late each picture and each answer.
SLOWER = 4
LATE = 150

SLOW = f"""{{
const {{ requestAnimationFrame, fetch }} = window;
const later = () => new Promise((resolve) => setTimeout(resolve, {LATE}));
window.requestAnimationFrame = (draw) => requestAnimationFrame(() => later().then(() => draw(performance.now())));
window.fetch = (...request) => later().then(() => fetch(...request)).then((answer) => later().then(() => answer));
}}"""


class Page:
    """What is the same in every browser: see the classes at the end."""

    def __init__(self, slow=False):
        super().__init__()
        self.slow = slow
        self.complaints_expected = []
        self.opened = []

    def __enter__(self):
        super().__enter__()
        if self.slow:
            self.slow_down(SLOWER, SLOW)
        return self

    def fresh(self):
        """As after a start: no page, and what was logged before is forgotten."""
        self.open("about:blank")
        self.size(1280, 800)
        self.media()
        self.complaints_expected = []
        self.opened = []
        self.complaints()
        self.requested()

    def open_page(self, url, view=""):
        self.opened.append(url)
        self.open(f"{url}/{view}")
        self.reads("#connection", "live")

    # What is to be so.

    def shows(self, selector, *wanted):
        """Waits until these are the texts of the elements, of which there are no others."""
        self.becomes("texts(args[0])", list(wanted), selector)

    def reads(self, selector, wanted):
        """Waits until this is the text of the first such element."""
        self.becomes("text(args[0])", wanted, selector)

    def tells(self, selector, *parts):
        """Waits until all of this is in the text of the first such element, and gives it."""
        return self.wait_for("args[1].every((part) => text(args[0]).includes(part)) && text(args[0])", selector, parts)

    def lacks(self, selector):
        """Waits until there is no such element that is to be seen."""
        self.becomes("all(args[0]).filter((element) => element.checkVisibility()).length", 0, selector)

    def has_rows(self, count):
        """Waits until there are so many rows; only those in view are."""
        self.becomes("all('.row').length", count)

    def has_names(self, *wanted):
        """Waits until these are the names in the rows, from the top."""
        self.shows(".row .name", *wanted)

    def open_row(self, place=0):
        """Opens the row at a place from the top of those that are there."""
        self.wait_for("all('.row .summary').length > args[0]", place)
        self.run("all('.row')[arguments[0]].querySelector('.summary').click()", place)
        self.wait_for("all('.row')[args[0]].querySelector('.detail')", place)

    # What must never be.

    def expected(self, *words):
        """What the browser complains of where a check does that on purpose: complaints with these words."""
        self.complaints_expected += words

    def must_be_clean(self):
        """Nothing broke, nothing was blocked, and nobody was asked for anything but whose page was opened."""
        others = [complaint for complaint in self.complaints() if not any(word in complaint for word in self.complaints_expected)]
        assert not others, others
        own = ("about:", "data:", "blob:", *(f"{url}/" for url in self.opened))
        foreign = [address for address in self.requested() if not address.startswith(own)]
        assert not foreign, foreign


class ChromiumPage(Page, Chromium):
    pass


class FirefoxPage(Page, Firefox):
    pass
