"""A run's report: it says how the run went, needs nothing besides itself, and nothing in the data is ever markup."""

import math
import re
from collections import Counter
from html.parser import HTMLParser

import pytest
from folded_book import FoldedBook
from made_runs import Told, book, plain_story, right, wrong

from guessbook.clients.report import headline
from guessbook.clients.report.markup import Markup, tag
from guessbook.clients.report.material import Material, gather
from guessbook.clients.report.page import page
from guessbook.clients.report.plot import Plot, round_ticks
from guessbook.clients.visible import visible
from guessbook.proto.history_pb2 import JOB_STATE_FAILED, Run

STEPS = [0, 10, 20, 30]
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>&\"'\x1b[31m\u202e"
VOID = {"meta", "br", "hr"}


def material(told: list[Told], steps: list[int] | None = None, **started: object) -> Material:
    return gather(FoldedBook.client(book(told, steps or STEPS, **started)))  # type: ignore[arg-type]


def run_of(told: list[Told]) -> str:
    return page(material(told))


def stories(*marks: str) -> list[Told]:
    return [plain_story(number, mark, "odd" if number % 2 else "even") for number, mark in enumerate(marks)]


class Parsed(HTMLParser):
    """Elements, attributes and text of a page; every element must be closed where it was opened."""

    def __init__(self, written: str) -> None:
        super().__init__()
        self.elements: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(written)
        self.close()
        assert self._open == []

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements[name] += 1
        self.attributes += [(key, value or "") for key, value in attributes]
        if name not in VOID:
            self._open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self._open.pop() == name

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_headline_says_what_was_trained_and_how_it_went() -> None:
    found = material(stories(*["-+++"] * 5, "-+-+", "-+--", "----"))
    assert headline.title(found) == "facts.jsonl: 6 of 8 right, from 0"
    said = " ".join(headline.story(found))
    assert "tiny was trained on 8 examples for 30 of 30 steps" in said
    assert "Before training 0 of 8 guesses were right; at step 30, 6 of 8 (75%). Most were right at step 10: 7." in said
    assert "2 were forgotten on the way; 1 of them is wrong now." in said


@pytest.mark.parametrize(
    ("marks", "said"),
    [
        (["-++-"], "1 was forgotten on the way; it is wrong now."),
        (["-++-", "-++-"], "2 were forgotten on the way; all are wrong now."),
        (["+-++"], "1 was forgotten on the way; none of them is wrong now."),
    ],
)
def test_what_was_forgotten_is_counted_in_words(marks: list[str], said: str) -> None:
    assert said in headline.story(material(stories(*marks)))


def test_a_failed_run_says_so() -> None:
    found = material(stories("-+++"))
    found.run.state = JOB_STATE_FAILED
    assert "It failed before its end." in headline.story(found)


def test_held_out_examples_have_a_sentence_and_their_own_curves() -> None:
    told, watched = stories("-+++", "----"), [plain_story(number, "----") for number in range(8)]
    found = gather(FoldedBook.client(book(told, STEPS, held_out=watched)))
    assert headline.story(found)[-1] == "Of 8 held-out examples 0 are right, from 0; their loss went from 2.00 to 1.10."
    assert (found.tracked, {example.held_out for example in found.examples}) == (2, {False})
    assert "held-out, never trained on, step 30: 0 of 8 right" in page(found)


def test_it_is_sound_html_that_needs_nothing_besides_itself() -> None:
    written = run_of(stories(*["-+++"] * 9, "-+--", "----"))
    parsed = Parsed(written)
    assert {"script", "link", "img", "iframe", "object", "base", "form"} & set(parsed.elements) == set()
    assert [
        value for key, value in parsed.attributes if key in ("href", "src", "action") and not value.startswith("#")
    ] == []
    assert [key for key, _ in parsed.attributes if key.startswith("on")] == []
    assert not re.search(r"https?://|url\(|@import", written)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in parsed.attributes
    assert parsed.elements["svg"] >= 5


def test_every_link_within_it_leads_somewhere() -> None:
    parsed = Parsed(run_of(stories(*["-+++"] * 9, "-+--", "----")))
    targets = {value for key, value in parsed.attributes if key == "id"}
    links = {value[1:] for key, value in parsed.attributes if key == "href"}
    assert links
    assert links <= targets


def test_nothing_in_the_data_is_markup() -> None:
    seen = [wrong(HOSTILE), wrong(HOSTILE + " b"), wrong(HOSTILE + " c"), wrong(HOSTILE + " d")]
    hostile = [Told(HOSTILE, f"{HOSTILE} {number}", seen, HOSTILE) for number in range(2)]
    written = run_of([*hostile, *stories(*["-+++"] * 9)])
    parsed = Parsed(written)
    assert {"script", "img"} & set(parsed.elements) == set()
    assert not {"\x1b", "\u202e"} & set(written)
    assert any("<script>alert(1)</script>" in text for text in parsed.text)
    assert any("\\x1b[31m\\u202e" in text for text in parsed.text)


def test_insights_are_told_with_what_to_do_and_their_examples() -> None:
    far = Told("Odd one", "nine hundred", [wrong(f"nine {n}", 5.0) for n in range(4)], "even")
    written = run_of([far, *stories(*["-+++"] * 20)])
    text = " ".join(Parsed(written).text)
    assert "1 expected answer is likely wrong." in text
    assert "What to do:" in text
    assert "Odd one" in text
    assert "<mark> 3</mark>" in written  # what the guess has and the expected answer hasn't


def test_the_hardest_examples_are_found_behind_any_number_of_held_out_ones() -> None:
    told = [plain_story(number, "-+++") for number in range(3)]
    watched = [plain_story(number, "----") for number in range(450)]
    found = gather(FoldedBook.client(book(told, STEPS, held_out=watched)))
    assert sorted(found.hardest) == [0, 1, 2]
    many = [Told(f"q{n}", "a", [wrong("x", 0.0004 * n)] * 4) for n in range(2500)]
    found = gather(FoldedBook.client(book(many, STEPS, [[]] * 30, held_out=watched)))
    assert list(found.hardest) == [2499, 2498, 2497, 2496, 2495, 2494]


def test_the_hardest_examples_come_with_every_guess_and_what_changed() -> None:
    told = Told(
        "Capital of Peru?",
        "Lima",
        [wrong("It is Cusco", 4.0), wrong("It is Cusco", 3.0), wrong("It is Lima", 3.0), right("Lima", 2.5)],
    )
    written = run_of([told, *stories("-+++")])
    story = written[written.index('id="hardest"') :]
    assert [story.index(f"step {step}<") for step in STEPS] == sorted(story.index(f"step {step}<") for step in STEPS)
    assert "same as before" in story
    assert re.search(r"<del>\s*Cusco</del><ins>\s*Lima</ins>", story)


@pytest.mark.parametrize("steps", [[0], [0, 10]])
def test_a_run_with_few_snapshots_has_a_report_too(steps: list[int]) -> None:
    told = [Told("q", "a", [wrong("x")] * len(steps))]
    assert "Too few snapshots to say what stands out." in " ".join(Parsed(page(material(told, steps))).text)


def test_a_run_that_no_snapshot_looked_at_has_a_report_too() -> None:
    found = material(stories("-+++"))
    bare = Material(
        found.status, Run(id="r", name="facts.jsonl", step=3, total_steps=9), found.steps, [], [], 0, [], {}
    )
    assert "facts.jsonl: 3 of 9 steps" in " ".join(Parsed(page(bare)).text)


def test_a_run_whose_loss_is_no_number_any_more_has_a_report_too() -> None:
    lost = [wrong("x", 4.0), right("a", 2.0), wrong("", math.nan), wrong("", math.nan)]
    never = [wrong("x", 4.0), wrong("x", 2.0), wrong("", math.nan), wrong("", math.nan)]
    told = [Told(f"q{number}", "a", lost if number % 2 else never) for number in range(24)]
    written = page(gather(FoldedBook.client(book(told, STEPS, held_out=told[:10]))))
    Parsed(written)
    assert not re.search(r'(points|c?[xy][12]?|r)="[^"]*(nan|inf)', written)


def test_the_same_moment_gives_the_same_bytes() -> None:
    told = stories(*["-+++"] * 9, "-+--", "----")
    assert run_of(told) == run_of(told)


def test_of_many_examples_a_sample_is_shown_and_said_to_be_one() -> None:
    found = material(stories(*["-+++"] * 2500))
    assert found.tracked == 2500
    assert found.sampled
    assert len({example.index for example in found.examples}) == len(found.examples) == 2000
    assert "A sample of 2,000 of 2,500." in page(found)


def test_text_becomes_markup_only_by_being_told_so() -> None:
    assert (
        tag("p", "<b>", Markup("<i>x</i>"), None, class_="a", data_x='"')
        == '<p class="a" data-x="&quot;">&lt;b&gt;<i>x</i></p>'
    )


def test_what_would_hide_or_turn_text_is_spelled_out() -> None:
    assert visible("a\x00b\u202ec\nd\u00a0e\u3000f") == "a\\x00b\\u202ec\nd\u00a0e\u3000f"


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0, 55, [0, 20, 40]), (0, 7.3, [0, 2, 4, 6]), (3, 3, [3])],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert round_ticks(low, high) == ticks


def test_labels_that_would_touch_are_left_out_and_the_last_stays() -> None:
    plot = Plot((0, 5000), (0, 1))
    drawn = plot.axes("step", "", [(step, f"{step:,}") for step in (0, 10, 25, 50, 100, 2500, 4990, 5000)], [])
    assert re.findall(r'class="tick">([\d,]+)<', drawn) == ["0", "2,500", "5,000"]
