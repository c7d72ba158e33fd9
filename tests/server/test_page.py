"""The chat page in a real browser (Debian's Chromium, driven by Playwright), where both are installed. LQ_SCREENSHOT names a picture to keep."""

import os
import shutil

import pytest


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("needs chromium")
    with sync_api.sync_playwright() as p:
        quiet = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-quic"]
        b = p.chromium.launch(executable_path=chromium, args=["--no-sandbox", *quiet])
        yield b
        b.close()


def test_chat_page(server, browser):
    page = browser.new_page(viewport={"width": 1100, "height": 760})
    problems = []
    page.on("pageerror", lambda e: problems.append(str(e)))
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    page.goto(server.base + "/")
    page.wait_for_function("document.querySelector('#model').textContent === 'smollm2'")
    page.fill("#temperature", "0")
    page.fill("#text", "What is the capital of France?")
    page.press("#text", "Enter")
    page.wait_for_selector(".turn.assistant .note")
    assert "Paris" in page.inner_text(".turn.assistant") and "pieces a second" in page.inner_text(".turn.assistant .note")
    # Stop in the middle: what came stays, the server's work ends, and one can go on.
    before = server.metric("loquor_generations_cancelled_total")
    page.fill("#tokens", "1500")
    page.fill("#text", "Write a very long story about a king and his ship.")
    page.press("#text", "Enter")
    page.wait_for_function("document.querySelectorAll('.turn.assistant')[1]?.textContent.length > 60")
    page.click("#stop")
    page.wait_for_function("document.querySelectorAll('.turn.assistant')[1].textContent.endsWith('stopped')")
    server.until("loquor_generations_cancelled_total", before + 1)
    # Another role, and an example of what is wanted.
    page.click("#clear")
    page.select_option("#preset", "Pirate")
    assert "pirate" in page.input_value("#system")
    page.click("#add")
    page.fill(".pair textarea >> nth=0", "Who are you?")
    page.fill(".pair textarea >> nth=1", "Arr, I be Captain Salt!")
    page.fill("#tokens", "40")
    page.fill("#text", "Where is the treasure?")
    page.press("#text", "Enter")
    page.wait_for_selector(".turn.assistant .note")
    if os.environ.get("LQ_SCREENSHOT"):
        page.screenshot(path=os.environ["LQ_SCREENSHOT"])
    # An error of the server is shown, and the question can be asked again.
    page.fill("#tokens", "0")
    page.fill("#text", "Hello?")
    page.press("#text", "Enter")
    page.wait_for_selector(".turn.error")
    assert "max_tokens" in page.inner_text(".turn.error")
    assert [p for p in problems if "400" not in p] == []
    page.close()
