"""Runs the checks: `main.py PROGRAM [--screenshot | [--firefox] [--slow] [CHECK …]]`."""

import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.dont_write_bytecode = True

from checks import accessible, catalogue, connection, contacts, faults, filter, hostile, keyboard, live, lock, narrow, strip, volume
from driver import Skipped
from page import ChromiumPage, FirefoxPage
from sandbox import Sandbox
import stage

FAILED = Path(tempfile.gettempdir()) / "sandbox-page-failed.png"

MODULES = [live, filter, strip, contacts, catalogue, lock, faults, hostile, keyboard, connection, narrow, accessible, volume]


def checks(words):
    """Yields the checks with their names."""
    for module in MODULES:
        for name, check in vars(module).items():
            if callable(check) and getattr(check, "__module__", None) == module.__name__ and not name.startswith("_"):
                sentence = f"{module.__name__.removeprefix('checks.')}: {name.replace('_', ' ')}"
                if not words or any(word in sentence for word in words):
                    yield sentence, check, getattr(module, "OPTIONS", ["--know-everybody"])


def run(program, words, page):
    passed, failed, skipped = 0, [], 0
    with page as browser:
        for sentence, check, options in checks(words):
            began = time.monotonic()
            with Sandbox(program, *options) as sandbox:
                try:
                    browser.fresh()
                    browser.open_page(sandbox.url)
                    remark = check(browser, sandbox)
                    browser.must_be_clean()
                except Skipped as reason:
                    skipped += 1
                    print(f"SKIPPED {sentence}: {reason}", flush=True)
                except Exception:
                    failed.append(sentence)
                    print(f"FAILED  {sentence}\n{traceback.format_exc()}", flush=True)
                    FAILED.write_bytes(browser.screenshot())
                else:
                    passed += 1
                    print(f"ok      {sentence} ({time.monotonic() - began:.1f} s)" + (f": {remark}" if remark else ""), flush=True)
    print(f"{passed} passed, {len(failed)} failed" + (f", {skipped} skipped in this browser" if skipped else ""))
    if failed:
        print(f"{FAILED} shows the page at the end of the last failed check")
    if failed or not passed:
        sys.exit(1)


def screenshot(program):
    place = Path(__file__).parent / "sandbox.png"
    with ChromiumPage() as browser, Sandbox(program, *stage.OPTIONS) as sandbox:
        browser.open_page(sandbox.url)
        stage.play(browser, sandbox)
        place.write_bytes(browser.screenshot())
    print(f"{place}: {place.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    program, *words = sys.argv[1:]
    if words == ["--screenshot"]:
        screenshot(program)
    else:
        page = FirefoxPage if "--firefox" in words else ChromiumPage
        run(program, [word for word in words if not word.startswith("--")], page("--slow" in words))
