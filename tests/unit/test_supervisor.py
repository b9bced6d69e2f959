"""How long a supervisor waits, which trainer gets which GPU, and logs that go on in the next day's file."""

import os
from datetime import date
from pathlib import Path

import pytest

from guessbook.clients.cli.parts import devices_of
from guessbook.clients.cli.running import claim, processes, supervising, tell
from guessbook.clients.cli.supervisor import LONG_LIFE_S, LONGEST_S, Pauses
from guessbook.clients.daily_log import DailyLog
from guessbook.clients.errors import Invalid, Rejected
from guessbook.store.home import Home


def test_pauses_double_up_to_a_minute_and_begin_anew_after_a_long_life() -> None:
    pauses = Pauses()
    assert [pauses.after(2) for _ in range(8)] == [1, 2, 4, 8, 16, 32, LONGEST_S, LONGEST_S]
    assert [pauses.after(lived) for lived in (LONG_LIFE_S - 1, LONG_LIFE_S, 2)] == [LONGEST_S, 1, 2]


def test_each_of_several_trainers_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert devices_of(0) == {}
    assert devices_of(1) == {"trainer": ""}
    assert devices_of(2) == {"trainer-0": "0", "trainer-1": "1"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,1,2")
    assert devices_of(2) == {"trainer-0": "3", "trainer-1": "1"}
    with pytest.raises(Invalid, match="names 3 devices"):
        devices_of(4)


def test_output_goes_on_in_the_file_of_the_day(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "before", os.O_WRONLY | os.O_CREAT)
    log = DailyLog(tmp_path / "logs", [descriptor])
    for day in (30, 30, 31):
        log.turn_to(date(2026, 12, day))
        os.write(descriptor, f"{day}\n".encode())
    os.close(descriptor)
    assert {path.name: path.read_text() for path in (tmp_path / "logs").iterdir()} == {
        "20261230.log": "30\n30\n",
        "20261231.log": "31\n",
    }


def test_what_is_left_of_an_earlier_up_is_named_with_how_to_stop_it(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with supervising(home):
        assert processes(home)["up"] == os.getpid()
        with pytest.raises(Rejected, match=f"up runs already for .*, as process {os.getpid()}"), supervising(home):
            pass
    trainer = claim(home, "trainer")
    tell(trainer, 4242)
    with pytest.raises(Rejected, match=r"trainer \(process 4242\)") as refused, supervising(home):
        pass
    assert "kill 4242 " in refused.value.hint
    trainer.close()
    with supervising(home):
        assert list(processes(home)) == ["up"]
