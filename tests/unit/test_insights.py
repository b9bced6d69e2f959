"""What is said of a run's examples, each kind with cases that are as near to it as can be and must stay silent."""

import math
from collections.abc import Sequence

import pytest
from made_events import RUN
from made_runs import Seen, Told, book, measured, plain_story, right, wrong

from guessbook.projections.datasets import CUT, TEXT_LIMIT
from guessbook.projections.insight import parted
from guessbook.projections.insights import insights
from guessbook.projections.repeats import plain
from guessbook.proto.history_pb2 import Insight

STEPS = [0, 10, 20, 30]
LEARNED = "-+++"


def found(kind: str, told: list[Told], steps: list[int] | None = None, **more: object) -> list[Insight]:
    made = book(told, steps or STEPS, **more)  # type: ignore[arg-type]
    return [insight for insight in insights(made, RUN) if insight.kind == kind]


def learned(count: int, category: str = "", first: int = 100) -> list[Told]:
    return [plain_story(first + number, LEARNED, category) for number in range(count)]


def one(found: list[Insight]) -> Insight:
    (insight,) = found
    return insight


# ---- contradictions and duplicates ----


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("Lima", "Cusco", "“Lima” became “Cusco”"),
        ("Lima", "", "“Lima” became nothing"),
        (
            "one two three four five six",
            "one two three four five 6",
            "“… three four five six” became “… three four five 6”",
        ),
        ("a b " * 60 + "end", "a b " * 60, "“… b a b end” became “… b a b”"),
    ],
)
def test_long_texts_are_quoted_where_they_part(before: str, after: str, said: str) -> None:
    assert parted(before, after) == said


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("What is 2+2?", "what  is 2+2"),
        ("Paris.", "PARIS"),
        ("ﬁne", "fine"),
        ("?", "?"),
    ],
)
def test_texts_that_a_reader_takes_for_the_same_are_the_same(text: str, same: str) -> None:
    assert plain(text) == plain(same)


def test_a_prompt_with_two_expected_answers_is_a_contradiction() -> None:
    told = [
        Told("Capital of Peru?", "Lima", plain_story(0, LEARNED).seen),
        Told("capital of  Peru", "Cusco", plain_story(1, "----").seen),
        *learned(1),
    ]
    insight = one(found("contradiction", told))
    assert list(insight.example_index) == [0, 1]
    assert insight.sentence == "1 prompt has more than one expected answer."
    assert insight.detail[0] == "expects “Lima”, but #1 expects “Cusco”"


@pytest.mark.parametrize(
    "pair",
    [
        (("What is 4-2?", "2"), ("What is 4-3?", "1")),
        (("Capital of Peru?", "Lima"), ("capital of peru", "Lima.")),  # a duplicate, no contradiction
        (("", "Once upon a time"), ("", "It was a dark night")),  # plain text has no prompt
        (("What is 2-6?", "-4"), ("What is 2-6?", "-4")),
    ],
)
def test_what_only_looks_like_a_contradiction(pair: tuple[tuple[str, str], tuple[str, str]]) -> None:
    told = [Told(prompt, expected, plain_story(0, LEARNED).seen) for prompt, expected in pair]
    assert found("contradiction", told) == []


def test_a_sign_makes_another_answer() -> None:
    told = [Told("What is 2-6?", expected, plain_story(0, LEARNED).seen) for expected in ("-4", "4")]
    assert one(found("contradiction", told)).count == 2
    assert found("duplicate", told) == []


def test_copies_are_told_with_where_they_are() -> None:
    told = [Told(prompt, "4", plain_story(0, LEARNED).seen) for prompt in ("2+2?", "3+1?", "2+2?", "2+2 ?")]
    insight = one(
        found("duplicate", told, [0])
    )  # said of the data alone, so before there is any evidence from snapshots
    assert (list(insight.example_index), list(insight.detail)) == ([0], ["also as #2, #3"])
    assert insight.evidence.startswith("2 copies have")


def test_equal_plain_texts_are_duplicates() -> None:
    told = [Told("", expected, plain_story(0, LEARNED).seen) for expected in ("One line", "Another", "one line")]
    assert list(one(found("duplicate", told)).example_index) == [0]


def test_texts_of_which_only_the_beginning_is_known_are_not_compared() -> None:
    long = "You are careful. " * (TEXT_LIMIT // 17 + 1)
    cut = long[:TEXT_LIMIT] + CUT
    told = [
        Told(cut, "Lima", plain_story(0, LEARNED).seen),
        Told(cut, "Cusco", plain_story(1, LEARNED).seen),
        Told(cut, "Lima", plain_story(2, LEARNED).seen),
        Told("", cut, plain_story(3, LEARNED).seen),
        Told("", cut, plain_story(4, LEARNED).seen),
        *learned(1),
    ]
    assert found("contradiction", told) == found("duplicate", told) == []
    whole = [Told(long[:TEXT_LIMIT], answer, plain_story(0, LEARNED).seen) for answer in ("Lima", "Cusco")]
    assert one(found("contradiction", whole)).count == 2


# ---- label errors ----


def keeps(
    guess: str, *, confidence: float = 0.97, loss: float = 1.5, expected: str = "Cusco", category: str = ""
) -> Told:
    seen = [wrong(f"first {guess}", loss), *[wrong(guess, loss, confidence)] * 3]
    return Told("Capital of Peru?", expected, seen, category)


def test_the_same_other_answer_given_with_confidence_is_a_likely_label_error() -> None:
    insight = one(found("label_error", [keeps("Lima"), *learned(8)]))
    assert list(insight.example_index) == [0]
    assert insight.detail[0].startswith(
        "keeps answering “Lima” with confidence 0.97 (right answers of its kind have 0.90)"
    )
    assert "Northcutt" in insight.evidence
    assert found("never_learned", [keeps("Lima"), *learned(8)]) == []  # said once


@pytest.mark.parametrize(
    "told",
    [
        pytest.param([keeps("Lima", confidence=0.8), *learned(8)], id="less sure than of right answers"),
        pytest.param([keeps("the city of Cusco"), *learned(8)], id="the expected answer in more words"),
        pytest.param([keeps("Cusco", expected="Cusco in Peru"), *learned(8)], id="the expected answer in fewer words"),
        pytest.param([keeps("Lima"), *learned(7)], id="too few right answers to say what sure is"),
        pytest.param(
            [*[keeps("Lima", expected=f"C{n}") for n in range(5)], *learned(8)], id="contradictions explain them"
        ),
        pytest.param([plain_story(0, "----"), *learned(8)], id="another guess each time"),
        pytest.param([plain_story(0, "---+"), *learned(8)], id="learned in the end"),
    ],
)
def test_what_only_looks_like_a_label_error(told: list[Told]) -> None:
    assert found("label_error", told) == []


def test_where_many_keep_another_answer_it_is_not_their_labels() -> None:
    same = [Told(f"q{n}", f"a{n}", keeps("Lima").seen) for n in range(8)]
    assert found("label_error", [*same, *learned(8)]) == []


def test_staying_out_where_the_category_is_learned_is_a_likely_label_error() -> None:
    far = Told("Odd one", "nine", [wrong(f"other {n}", 5.0, confidence=0.2) for n in range(4)], "numbers")
    insight = one(found("label_error", [far, *learned(10, "numbers"), *learned(10, "towns", 200)]))
    assert list(insight.example_index) == [0]
    assert insight.detail[0].startswith("mean loss 5.00 where its kind has 0.54 and 100% of the others are right")
    assert "Swayamdipta" in insight.evidence


def test_an_answer_that_becomes_probable_is_only_hard() -> None:
    told = Told(
        "Odd one", "nine", [wrong(f"other {n}", loss) for n, loss in enumerate((6.0, 5.0, 3.0, 1.0))], "numbers"
    )
    assert found("label_error", [told, *learned(10, "numbers")]) == []


@pytest.mark.parametrize(
    ("loss", "neighbours"),
    [
        pytest.param(1.5, learned(10, "numbers"), id="its answer is not that improbable"),
        pytest.param(5.0, learned(7, "numbers"), id="too few neighbours"),
        pytest.param(
            5.0,
            [*learned(7, "numbers"), *[plain_story(n, "----", "numbers") for n in range(3)]],
            id="they aren't learned",
        ),
        pytest.param(5.0, learned(10, "towns"), id="of another category"),
    ],
)
def test_what_is_only_hard(loss: float, neighbours: list[Told]) -> None:
    told = Told("Odd one", "nine", [wrong(f"other {n}", loss, confidence=0.2) for n in range(4)], "numbers")
    assert found("label_error", [told, *neighbours]) == []


# ---- forgotten ----


def test_what_was_forgotten_is_told_with_what_was_trained_before() -> None:
    told = [plain_story(0, "-++-", "sums"), plain_story(1, "-++-", "sums"), *learned(4, "towns")]
    batches = [range(6)] * 20 + [[2, 3, 2], [2, 4, 2]] * 5  # between 20 and 30: towns alone, and #2 most often
    insight = one(found("forgotten", told, batches=batches))
    assert (insight.step, list(insight.example_index)) == (30, [0, 1])
    assert insight.sentence == "2 examples were right at step 20 and wrong at step 30; still wrong."
    assert insight.trained_before[0] == 2
    assert "30 presentations of 3 examples, 100% of them of “towns”, which is 67% of the data" in insight.evidence
    assert insight.detail[0] == "“answer 0” became “guess 3 of 0”, loss 0.05 → 1.10; not right since"


def test_a_dip_that_was_made_good_is_told_only_if_it_was_deep() -> None:
    assert found("forgotten", [plain_story(0, "+-++"), plain_story(1, "+-++"), *learned(5)]) == []
    deep = one(found("forgotten", [plain_story(n, "+-++") for n in range(3)]))
    assert deep.sentence == "3 examples were right at step 0 and wrong at step 10; right again since."
    assert deep.detail[0].endswith("right again at step 20")


def test_an_example_forgotten_twice_counts_as_wrong_where_it_was_lost_last() -> None:
    assert [insight.step for insight in found("forgotten", [plain_story(0, "+-+-"), *learned(3)])] == [30]


def test_what_a_contradiction_explains_is_not_told_as_forgotten() -> None:
    told = [
        Told("Capital of Peru?", answer, plain_story(0, "-+-+" if answer == "Lima" else "-++-").seen)
        for answer in ("Lima", "Cusco")
    ]
    assert found("contradiction", told)
    assert found("forgotten", told) == []


def test_an_interval_begins_where_the_example_was_last_found_right() -> None:
    """At step 20 it was only measured, so it may have been lost since step 10."""
    kept = Told("kept", "yes", [wrong("x"), right("yes", 0.1), measured(0.9), wrong("no", 1.5)])
    insight = one(found("forgotten", [kept, *learned(3)]))
    assert insight.sentence == "1 example was right at step 10 and wrong at step 30; still wrong."
    assert insight.detail[0] == "“yes” became “no”, loss 0.10 → 1.50; not right since"
    both = found("forgotten", [kept, plain_story(1, "-++-"), *learned(3)])
    assert [insight.sentence for insight in both] == [
        "1 example was right at step 10 and wrong at step 30; still wrong.",
        "1 example was right at step 20 and wrong at step 30; still wrong.",
    ]


# ---- never learned, memorised, learned long ago, too long ----


def test_what_was_never_right_is_told_with_the_highest_loss_first() -> None:
    told = [plain_story(0, "----"), Told("hard", "thing", [wrong(f"g{n}", 4.0) for n in range(4)]), *learned(4)]
    insight = one(found("never_learned", told))
    assert list(insight.example_index) == [1, 0]
    assert insight.sentence == "2 examples were never right."
    assert "2 of 6 that were trained on at least 3 times" in insight.evidence
    assert insight.detail[0] == "last guess “g3”; loss 4.00 → 4.00, trained on 30 times"


def test_where_most_was_never_right_the_advice_is_about_the_run() -> None:
    told = [plain_story(number, "----") for number in range(9)]
    assert one(found("never_learned", told)).advice.startswith("So many are the run")
    assert not one(found("never_learned", [*told, *learned(20)])).advice.startswith("So many are the run")


def test_what_was_trained_on_too_seldom_was_not_failed_to_be_learned() -> None:
    told = [plain_story(0, "----"), *learned(3)]
    assert found("never_learned", told, batches=[[0, 1], [0, 2], *[[1, 2, 3]] * 28]) == []
    assert found("never_learned", told, batches=[[0, 1], [0, 2], [0], *[[1, 2, 3]] * 27]) != []


def test_what_was_not_guessed_since_it_was_trained_on_was_not_failed_to_be_learned() -> None:
    only_measured = Told("q", "a", [wrong("x"), measured(), measured(), measured()])
    assert found("never_learned", [only_measured, *learned(3)]) == []
    guessed_once = Told("q", "a", [wrong("x"), measured(), wrong("y"), measured()])
    insight = one(found("never_learned", [guessed_once, only_measured, *learned(3)]))
    assert list(insight.example_index) == [0]
    assert insight.evidence.startswith("1 of 4 that were trained on at least 3 times and judged after that;")


def test_what_was_not_guessed_lately_is_no_candidate_to_drop() -> None:
    stale = [Told(f"q{n}", "a", [wrong("x"), right("a"), measured(0.05), right("a")]) for n in range(5)]
    assert found("learned_long_ago", stale) == []


def test_a_known_answer_that_is_not_given_is_memorised() -> None:
    known = [wrong("x"), wrong("x"), *[wrong("the answer is big", 0.2, token_accuracy=0.95)] * 2]
    told = [Told("q", "the answer is small enough", known), *learned(3)]
    insight = one(found("memorised", told))
    assert insight.detail[0] == "says “big” where “small enough” is expected, at word 4; loss 0.20"
    assert found("never_learned", told) == []


@pytest.mark.parametrize(
    ("loss", "accuracy", "snapshots"),
    [(0.6, 0.95, 2), (0.2, 0.8, 2), (0.2, 0.95, 1)],
    ids=["the loss is not low", "too many tokens are wrong", "at one snapshot only"],
)
def test_what_is_not_known_by_heart(loss: float, accuracy: float, snapshots: int) -> None:
    seen = [*[wrong("x")] * (4 - snapshots), *[wrong("y", loss, token_accuracy=accuracy)] * snapshots]
    assert found("memorised", [Told("q", "a b", seen), *learned(3)]) == []


@pytest.mark.parametrize(
    ("third", "batches"),
    [(measured(0.2, 0.95), None), (wrong("y", 0.2, token_accuracy=0.95), [[0, 1], [0, 2], *[[1, 2, 3]] * 28])],
    ids=["at one of them it wasn't guessed", "it was trained on twice"],
)
def test_what_may_not_be_called_memorised(third: Seen, batches: list[list[int]] | None) -> None:
    seen = [wrong("x"), wrong("x"), third, wrong("y", 0.2, token_accuracy=0.95)]
    assert found("memorised", [Told("q", "a b", seen), *learned(3)], batches=batches) == []


@pytest.mark.parametrize(
    ("guess", "said"),
    [
        ("one two three", "goes on after the expected answer with “three”"),
        ("one", "ends before “two”"),
        ("one  two", "differs in white space alone"),
    ],
)
def test_where_a_guess_leaves_the_answer(guess: str, said: str) -> None:
    seen = [wrong("x"), *[wrong(guess, 0.2, token_accuracy=0.95)] * 3]
    assert one(found("memorised", [Told("q", "one two", seen)])).detail[0].startswith(said)


def test_what_was_right_for_long_is_a_candidate_to_drop() -> None:
    early, late = [plain_story(number, "-+++") for number in range(5)], [plain_story(9, "---+")]
    insight = one(found("learned_long_ago", [*early, *late]))
    assert insight.sentence == "5 examples have been right at every snapshot since step 10."
    assert "They took 83% of the training since then" in insight.evidence
    assert insight.detail[0] == "right since step 10, loss 0.050 now"


@pytest.mark.parametrize(
    "stories",
    [["-+++"] * 4, ["--++"] * 9, ["-+-+"] * 9, ["-+++"] * 5 + ["---+"] * 60],
    ids=["too few", "too late", "forgotten since", "not worth it"],
)
def test_what_is_not_worth_dropping(stories: list[str]) -> None:
    told = [plain_story(number, story) for number, story in enumerate(stories)]
    assert found("learned_long_ago", told) == []


def test_answers_that_were_cut_are_named_and_excused() -> None:
    told = [plain_story(0, "----"), *learned(3)]
    insight = one(found("too_long", told, truncated_examples=1, cut_answers=1, cut_example=[0]))
    assert insight.sentence == "1 expected answer was cut: longer than max_length leaves room for."
    assert list(insight.example_index) == [0]
    assert found("never_learned", told, cut_answers=1, cut_example=[0]) == []


# ---- overfitting ----


def held_out(losses: Sequence[float], count: int = 8, scatter: float = 0.0) -> list[Told]:
    """Held-out examples, whose losses rise and fall alike but for a scatter."""
    return [
        Told("", "", [wrong("x", loss + scatter * place * (-1) ** number) for place, loss in enumerate(losses)])
        for number in range(count)
    ]


def test_held_out_loss_that_rises_while_training_goes_on_is_overfitting() -> None:
    insight = one(found("overfitting", [plain_story(0, "----")], held_out=held_out([3.0, 1.0, 1.5, 2.0])))
    assert insight.sentence == "Held-out loss was lowest at step 10 and has risen since."
    assert insight.evidence.startswith("From 1.00 to 2.00, while that of the trained examples fell from 1.70 to 1.10.")
    assert (insight.step, insight.count, list(insight.example_index)) == (10, 8, [])


@pytest.mark.parametrize(
    "others",
    [
        pytest.param(held_out([3.0, 2.0, 1.5, 1.5]), id="it doesn't rise"),
        pytest.param(held_out([3.0, 1.0, 1.5, 1.04]), id="it rose by less than a twentieth"),
        pytest.param(held_out([3.0, 1.0, 1.5, 1.3], scatter=1.0), id="it rose within the examples' scatter"),
        pytest.param(held_out([3.0, 1.0, 1.5, 2.0], count=7), id="too few examples to say"),
    ],
)
def test_what_is_no_overfitting(others: list[Told]) -> None:
    assert found("overfitting", [plain_story(0, "----")], held_out=others) == []


def test_where_the_trained_examples_get_worse_too_it_is_not_overfitting() -> None:
    assert found("overfitting", [plain_story(0, "-++-")], held_out=held_out([3.0, 1.0, 1.5, 2.0])) == []


# ---- all of them ----


def test_nothing_is_said_of_what_examples_did_before_there_are_three_snapshots() -> None:
    told = [plain_story(0, "+-"), plain_story(1, "--"), *[plain_story(n, "++") for n in range(2, 9)]]
    assert insights(book(told, [0, 10]), RUN) == []


def test_a_run_that_went_well_gets_no_alarm() -> None:
    assert insights(book(learned(4), STEPS), RUN) == []


def test_an_unknown_run_has_none() -> None:
    assert insights(book(learned(1), STEPS), "run-9") == []


def test_held_out_examples_are_not_judged_as_trained_ones() -> None:
    made = book(learned(4), STEPS, held_out=[plain_story(0, "----"), plain_story(1, "++--")])
    assert insights(made, RUN) == []


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_losses_that_are_no_numbers_any_more_are_no_error(loss: float) -> None:
    lost = [wrong("x", 4.0), right("a", 2.0), wrong("y", loss), wrong("z", loss)]
    never = [wrong("x", 4.0), wrong("x", 2.0), wrong("y", loss), wrong("z", loss)]
    told = [Told(f"q{number}", f"a{number}", lost if number % 2 else never) for number in range(24)]
    kinds = {insight.kind for insight in insights(book(told, STEPS, held_out=told[:10]), RUN)}
    assert kinds == {"forgotten", "never_learned"}
