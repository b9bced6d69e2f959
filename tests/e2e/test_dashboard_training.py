"""The page Training in a real browser: what runs and waits is steered from it, a file becomes a job, and each command says what came of it."""

import json
import re
from pathlib import Path

import made_versions
import pytest
from e2e.browser import settle
from e2e.processes import Dashboard
from e2e.scripted import ScriptedTrainer
from eventually import eventually
from made_events import run_start
from playwright.sync_api import Locator, Page, expect
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.proto.events_pb2 import PRIORITY_LOW, PRIORITY_URGENT, QUEUE_STATE_OFF, Event, JobStarted
from guessbook.proto.history_pb2 import JOB_STATE_CANCELLED, JOB_STATE_QUEUED

EXAMPLES = 4
PREVIEW_MS = 60_000  # a process that imports torch


def dataset(folder: Path, name: str, examples: int = EXAMPLES) -> Path:
    path = folder / name
    lines = (json.dumps({"prompt": f"{name}: {n} + {n}?", "completion": str(2 * n)}) for n in range(examples))
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.fixture
def training(book: Guessbook, trainer: ScriptedTrainer, tmp_path: Path) -> ScriptedTrainer:
    """A run at step 10 of 20."""
    book.submit(dataset(tmp_path, "facts.jsonl"))
    trainer.take(total_steps=20, examples=EXAMPLES)
    trainer.snapshot(0, ["x"] * EXAMPLES, [False] * EXAMPLES, [4.0] * EXAMPLES)
    trainer.steps(1, 10, [1.0] * EXAMPLES)
    return trainer


@pytest.fixture
def waiting(book: Guessbook, training: ScriptedTrainer, tmp_path: Path) -> list[str]:
    """The ids of three jobs that wait, in their order."""
    return [book.submit(dataset(tmp_path, f"{name}.jsonl")).job.id for name in ("first", "second", "third")]


def row(page: Page, name: str) -> Locator:
    return page.locator(".job-row", has_text=name)


def order(book: Guessbook) -> list[str]:
    return [job.name for job in book.jobs(states=[JOB_STATE_QUEUED]).jobs]


def choose(page: Page, job: str, entry: str) -> None:
    page.get_by_label(f"What to do with {job}").click()
    page.locator(".menu[open]").get_by_role("button", name=entry, exact=True).click()


def test_the_queue_says_what_is_next_and_when_it_ends(page: Page, dashboard: Dashboard, waiting: list[str]) -> None:
    page.goto(dashboard.link)
    expect(page.locator("#jobs-count")).to_have_text("1 running · 3 waiting")
    expect(row(page, "facts")).to_contain_text("step 10 of 20")
    expect(row(page, "first")).to_contain_text(re.compile(r"starts about .*ends about .*Next: "))
    expect(row(page, "third")).to_contain_text("Behind 2 normal jobs")
    expect(page.locator("#queue-note")).to_contain_text("All of it is done about")


def test_a_job_is_moved_by_dragging_and_by_menu(
    page: Page, dashboard: Dashboard, book: Guessbook, waiting: list[str]
) -> None:
    page.goto(dashboard.link)
    row(page, "third").drag_to(row(page, "first"), target_position={"x": 60, "y": 4})
    expect(page.locator("#outcome")).to_contain_text("third.jsonl comes directly before first.jsonl")
    expect(page.locator(".job-row.queued .job-name")).to_have_text(["third.jsonl", "first.jsonl", "second.jsonl"])
    assert order(book) == ["third.jsonl", "first.jsonl", "second.jsonl"]

    choose(page, "first.jsonl", "Down")
    expect(page.locator(".job-row.queued .job-name")).to_have_text(["third.jsonl", "second.jsonl", "first.jsonl"])
    # As who has no mouse does it.
    page.get_by_label("What to do with second.jsonl").press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".job-row.queued .job-name")).to_have_text(["second.jsonl", "third.jsonl", "first.jsonl"])
    choose(page, "first.jsonl", "Urgent")
    expect(page.locator(".job-row.queued .job-name").first).to_have_text("first.jsonl")
    assert book.jobs(states=[JOB_STATE_QUEUED]).jobs[0].priority == PRIORITY_URGENT


def test_a_job_dropped_below_all_comes_after_the_less_urgent(
    page: Page, dashboard: Dashboard, book: Guessbook, waiting: list[str]
) -> None:
    book.set_priority(waiting[2], PRIORITY_LOW)
    page.goto(dashboard.link)
    expect(row(page, "third")).to_contain_text("low")
    row(page, "first").drag_to(row(page, "third"), target_position={"x": 60, "y": 50})
    expect(page.locator(".job-row.queued .job-name")).to_have_text(["second.jsonl", "third.jsonl", "first.jsonl"])
    assert order(book) == ["second.jsonl", "third.jsonl", "first.jsonl"]


def test_cancelling_asks_first(page: Page, dashboard: Dashboard, book: Guessbook, waiting: list[str]) -> None:
    page.goto(dashboard.link)
    dialog = page.get_by_role("dialog")
    choose(page, "second.jsonl", "Cancel")
    expect(dialog).to_contain_text("Cancel second.jsonl?")
    dialog.get_by_role("button", name="Go back").click()
    expect(dialog).to_be_hidden()
    assert len(order(book)) == 3

    choose(page, "second.jsonl", "Cancel")
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.locator("#outcome")).to_contain_text("second.jsonl")
    expect(row(page, "second")).to_contain_text("cancelled")
    assert [job.name for job in book.jobs(states=[JOB_STATE_CANCELLED]).jobs] == ["second.jsonl"]


def test_the_queue_is_turned_off_with_a_reason_and_on_again(
    page: Page, dashboard: Dashboard, book: Guessbook, training: ScriptedTrainer
) -> None:
    page.goto(dashboard.link)
    page.get_by_label("The queue is on").click()
    page.get_by_role("button", name="Turn the queue off").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("the GPU is lent until noon")
    dialog.get_by_role("button", name="Turn the queue off").click()
    expect(page.locator("#queue-note")).to_contain_text("The queue is off: the GPU is lent until noon.")
    expect(page.locator("#job-state")).to_contain_text("stop asked for")
    assert book.status().queue == QUEUE_STATE_OFF
    page.get_by_label("The queue is off").click()
    page.get_by_role("button", name="Turn the queue on").click()
    expect(page.locator("#outcome")).to_contain_text("The queue is on.")
    expect(page.locator("#queue-switch .badge")).to_have_text("on")


def test_a_file_is_looked_at_and_submitted(
    page: Page, dashboard: Dashboard, book: Guessbook, training: ScriptedTrainer, tmp_path: Path
) -> None:
    path = dataset(tmp_path, "upload.jsonl", examples=30)
    path.write_text(path.read_text() + '{"prompt": \n')
    page.goto(dashboard.link)
    page.get_by_role("button", name="Submit a dataset").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a file").click()
    chooser.value.set_files(path)
    found = page.locator("#submit-found")
    expect(found).to_contain_text("30 examples")
    expect(found).to_contain_text("1 of 31 lines can't be read")
    expect(found).to_contain_text("upload.jsonl: 1 + 1?")
    go = page.get_by_role("button", name="Submit", exact=True)
    expect(go).to_be_disabled()
    page.get_by_label("Leave out lines").check()
    page.get_by_label("Learning rate").fill("much")
    go.click()
    expect(page.locator("#submit-problem")).to_contain_text("Learning rate can't be 'much'")
    page.get_by_label("Learning rate").fill("5e-4")
    page.get_by_label("Steps").fill("7")
    page.get_by_label("Name").fill("renamed")
    go.click()
    expect(page.locator("#submit-go")).to_be_hidden()
    expect(row(page, "renamed")).to_be_visible()
    job = book.jobs(states=[JOB_STATE_QUEUED]).jobs[0]
    assert (job.name, job.config.max_steps, job.config.learning_rate) == ("renamed", 7, 5e-4)


def test_a_file_is_shown_as_the_servers_own_base_model_reads_it(page: Page, model_folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "own"
    with ServerProcess(home, base_model=str(model_folder)) as server, Dashboard(home, server.address) as dashboard:
        page.goto(dashboard.link)
        page.get_by_role("button", name="Submit a dataset").first.click()
        page.get_by_label("Or its path").fill(str(dataset(tmp_path, "facts.jsonl")))
        page.get_by_role("button", name="Look at it").click()
        rows = page.locator("#submit-rows")
        expect(rows.locator("h3")).to_contain_text(f"As {model_folder.name} reads it", timeout=PREVIEW_MS)
        expect(rows.locator(".submit-row").first).to_contain_text("facts.jsonl: 0 + 0?")
        page.get_by_label("Base model").fill(str(tmp_path / "no-model"))
        page.get_by_label("Base model").blur()
        expect(rows).to_contain_text("can't be shown here", timeout=PREVIEW_MS)
        page.goto("about:blank")  # before its dashboard ends


def test_a_path_that_is_wrong_is_told(
    page: Page, dashboard: Dashboard, training: ScriptedTrainer, tmp_path: Path
) -> None:
    page.goto(dashboard.link)
    page.get_by_role("button", name="Submit a dataset").click()
    page.get_by_label("Or its path").fill(str(tmp_path / "nowhere.jsonl"))
    page.get_by_role("button", name="Look at it").click()
    expect(page.locator("#submit-problem")).to_contain_text("nowhere.jsonl")
    page.get_by_label("Or its path").fill(str(dataset(tmp_path, "there.jsonl")))
    page.get_by_role("button", name="Look at it").click()
    expect(page.locator("#submit-found")).to_contain_text("4 examples")
    expect(page.locator("#submit-problem")).to_be_empty()


def test_only_the_file_that_was_looked_at_is_submitted_and_only_once(
    page: Page, dashboard: Dashboard, book: Guessbook, training: ScriptedTrainer, tmp_path: Path
) -> None:
    page.goto(dashboard.link)
    page.get_by_role("button", name="Submit a dataset").click()
    path, go, found = page.get_by_label("Or its path"), page.locator("#submit-go"), page.locator("#submit-found")
    path.fill(str(dataset(tmp_path, "four.jsonl")))
    path.press("Enter")
    expect(found).to_contain_text("4 examples")
    expect(go).to_be_enabled()
    path.fill(str(dataset(tmp_path, "two.jsonl", examples=2)))
    expect(go).to_be_disabled()
    expect(found).to_be_empty()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a file").click()
    chooser.value.set_files(tmp_path / "four.jsonl")
    expect(found).to_contain_text("4 examples")
    expect(path).to_have_value("")
    path.fill(str(tmp_path / "two.jsonl"))
    expect(go).to_be_disabled()
    expect(page.locator("#upload-progress")).to_be_empty()
    page.get_by_role("button", name="Look at it").click()
    expect(found).to_contain_text("2 examples")
    go.click()
    expect(go).to_be_hidden()
    assert order(book) == ["two.jsonl"]

    page.get_by_role("button", name="Submit a dataset").click()
    expect(go).to_be_disabled()
    expect(path).to_have_value("")
    expect(page.get_by_label("Name")).to_have_value("")
    expect(found).to_be_empty()
    expect(page.locator("#submit-rows")).to_be_empty()


def test_a_menu_stays_open_while_its_row_is_drawn_anew(
    page: Page, dashboard: Dashboard, book: Guessbook, waiting: list[str], tmp_path: Path
) -> None:
    page.goto(dashboard.link)
    page.get_by_label("What to do with second").click()
    entry = page.locator(".menu[open]").get_by_role("button", name="To the front")
    before = entry.element_handle()
    assert before
    book.submit(dataset(tmp_path, "fourth.jsonl"))
    expect(row(page, "fourth")).to_be_visible()
    expect(entry).to_be_in_viewport()
    assert not before.evaluate("entry => entry.isConnected"), "the row was not drawn anew"
    entry.click()
    expect(page.locator(".menu[open]")).to_have_count(0)
    eventually(lambda: order(book)[0].startswith("second"))


def test_a_row_stays_under_the_pressed_button(
    page: Page, dashboard: Dashboard, book: Guessbook, waiting: list[str], tmp_path: Path
) -> None:
    page.goto(dashboard.link)
    row(page, "second").hover()
    page.mouse.down()
    pressed = row(page, "second").element_handle()
    assert pressed
    book.submit(dataset(tmp_path, "fourth.jsonl"))
    page.wait_for_function(
        "() => JSON.stringify(window.dash_component_api.getLayout('queue-drawn').props.data).includes('fourth.jsonl')"
    )
    assert pressed.evaluate("row => row.isConnected")
    expect(row(page, "fourth")).to_have_count(0)
    page.mouse.up()
    expect(row(page, "fourth")).to_be_visible()


def test_a_menu_opens_though_its_row_is_drawn_anew_at_that_moment(
    page: Page, dashboard: Dashboard, waiting: list[str]
) -> None:
    page.goto(dashboard.link)
    settle(page)
    button = page.get_by_label("What to do with second")
    button.scroll_into_view_if_needed()
    button.evaluate("""button => {
        const menu = button.parentElement;
        const anew = menu.cloneNode(true);
        button.click();
        menu.replaceWith(anew);
    }""")
    expect(page.locator(".menu[open]").get_by_role("button", name="To the front")).to_be_in_viewport()


def test_a_menu_follows_its_button_while_the_page_moves(page: Page, dashboard: Dashboard, waiting: list[str]) -> None:
    page.set_viewport_size({"width": 800, "height": 500})
    page.goto(dashboard.link)
    button = page.get_by_label("What to do with first")
    button.click()
    entries = page.locator(".menu[open] .menu-list")
    expect(entries).to_be_in_viewport()
    page.evaluate("window.scrollBy(0, -60)")
    apart = """() => {
        const [a, b] = [".menu[open] summary", ".menu[open] .menu-list"].map(
            (part) => document.querySelector(part).getBoundingClientRect());
        return Math.min(Math.abs(b.top - a.bottom), Math.abs(a.top - b.bottom)) <= 5;
    }"""
    page.wait_for_function(apart)
    page.evaluate("window.scrollTo(0, 0)")
    expect(page.locator(".menu[open]")).to_have_count(0)


def test_a_guest_sees_the_queue_and_steers_nothing(
    page: Page, dashboard: Dashboard, server: ServerProcess, waiting: list[str]
) -> None:
    guest = (server.home.root / "dashboard.guest.token").read_text()
    page.goto(dashboard.link.partition("?")[0] + f"?token={guest}")
    expect(row(page, "first")).to_be_visible()
    for name in ("Pause", "Submit a dataset"):
        expect(page.get_by_role("button", name=name)).to_be_hidden()
    expect(page.locator(".menu")).to_have_count(0)
    address = dashboard.link.partition("/?")[0]
    refused = page.request.post(f"{address}/upload", data=b"{}", headers={"origin": address})
    assert refused.status == 403
    assert "read-only" in refused.json()["error"]


def test_health_and_inbox_say_what_to_look_at(
    page: Page, dashboard: Dashboard, server: ServerProcess, training: ScriptedTrainer
) -> None:
    page.goto(dashboard.link)
    health = page.locator("#health")
    expect(health).to_contain_text("scripted (cpu) connected")
    expect(health.locator(".health-row.act")).to_contain_text("3-2-1")
    (server.home.inbox / "normal" / "broken.jsonl").write_text("nonsense\n")
    expect(page.locator("#inbox")).to_contain_text("Rejected: 1 of 1 lines can't be read.")
    expect(page.locator("#inbox")).to_contain_text("inbox/rejected/broken.jsonl.report.txt")


def test_recent_versions_lead_on_and_an_older_one_can_be_made_the_latest(
    page: Page, dashboard: Dashboard, book: Guessbook, server: ServerProcess, tmp_path: Path
) -> None:
    teller = made_versions.ScriptedTrainer(server, tmp_path)
    old = teller.version(book, "facts")
    new = teller.version(book, "more", parent=old)
    teller.producer.close()
    page.goto(dashboard.link)
    rows = page.locator(".recent-version")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text(re.compile(f"{new}.*latest.*0% → 100% right"))
    expect(rows.first.get_by_role("link", name="Compare")).to_have_attribute(
        "href", f"/versions?version={new}&with={old}"
    )
    expect(page.get_by_role("button", name="Consolidate")).to_be_visible()
    rows.last.get_by_role("button", name="Activate").click()
    expect(page.get_by_role("dialog")).to_contain_text(old)
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    rows.first.get_by_role("link", name="View").click()
    expect(page).to_have_url(re.compile(rf"/versions\?version={new}"))


def test_each_of_several_running_jobs_is_reached(
    page: Page,
    dashboard: Dashboard,
    book: Guessbook,
    server: ServerProcess,
    training: ScriptedTrainer,
    tmp_path: Path,
) -> None:
    book.submit(dataset(tmp_path, "other.jsonl"))
    second = made_versions.ScriptedTrainer(server, tmp_path, "second")
    leased = book.lease("second", second.epoch)
    page.goto(dashboard.link)
    expect(page.locator("#jobs-count")).to_have_text("2 running")
    expect(row(page, "other")).to_contain_text("about to start")
    expect(row(page, "other").get_by_role("link")).to_have_count(0)
    second.say(
        run_start(EXAMPLES, run=leased.run, job=leased.job.id, dataset=leased.job.dataset),
        Event(subject=f"job/{leased.job.id}", job_started=JobStarted(run=leased.run)),
    )
    expect(page.locator("#job-about")).to_have_text("normal priority · on scripted")
    row(page, "other").get_by_role("link").click()
    expect(page.locator("#job-name")).to_have_text("other.jsonl")
    expect(page.locator("#job-about")).to_have_text("normal priority · on second")
    page.go_back()
    expect(page.locator("#job-name")).to_have_text("facts.jsonl")
    second.producer.close()


def test_the_curve_tells_of_the_step_under_the_mouse(
    page: Page, dashboard: Dashboard, training: ScriptedTrainer
) -> None:
    page.goto(dashboard.link)
    expect(page.locator("#loss-chart")).to_contain_text("1e−4")
    # At once from outside: the page fixture sees whether the chart throws.
    page.locator("#loss-chart").hover(position={"x": 300, "y": 60})
    page.locator("#loss-chart").hover(position={"x": 302, "y": 60})
    expect(page.locator(".tooltip")).to_contain_text("Learning rate")


def test_an_empty_book_offers_to_submit(page: Page, dashboard: Dashboard, tmp_path: Path) -> None:
    page.goto(dashboard.link)
    expect(page.locator(".empty")).to_contain_text("Nothing in the book yet")
    page.get_by_role("button", name="Submit a dataset").click()
    expect(page.get_by_role("dialog")).to_contain_text("Choose a file")
