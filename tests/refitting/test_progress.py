"""How far long work has come is shown where somebody watches, and nowhere else."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

import pytest

import interlace
from interlace import progress
from interlace.hints import answers_options


class Terminal:
    """A standard error that somebody watches."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self.capture, self.text = capture, ""

    def getvalue(self) -> str:
        """All that was shown so far."""
        self.text += self.capture.readouterr().err
        return self.text


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    monkeypatch.setattr(progress, "somebody_watches", lambda: True)
    monkeypatch.setattr(progress, "PATIENCE", 0.05)
    monkeypatch.setattr(progress, "EVERY", 0.02)
    return Terminal(capsys)


@answers_options
def slow(seconds: float = 0.2, *, progress: bool | None = None) -> str:
    time.sleep(seconds)
    return "done"


@answers_options
def slower() -> str:
    return slow()


@answers_options
def counted() -> list[int]:
    return [i for i in progress.watched(range(3), 3, None, "things") if not time.sleep(0.1)]


def test_a_long_call_counts_its_seconds_and_leaves_nothing(terminal: Terminal) -> None:
    assert slow() == "done"
    assert "slow: 0:00" in terminal.getvalue()
    assert terminal.getvalue().rpartition("\r")[2] == ""


def test_a_short_call_says_nothing(terminal: Terminal) -> None:
    slow(0.0)
    time.sleep(0.1)
    assert terminal.getvalue() == ""


def test_the_outer_call_speaks(terminal: Terminal) -> None:
    slower()
    assert "slower: " in terminal.getvalue() and "slow: " not in terminal.getvalue()


def test_a_bar_stands_in_place_of_the_line(terminal: Terminal) -> None:
    assert counted() == [0, 1, 2]
    assert "things: 100%" in terminal.getvalue() and "counted: 0" not in terminal.getvalue()


def test_who_asks_for_silence_has_it(terminal: Terminal) -> None:
    slow(progress=False)
    assert terminal.getvalue() == ""


def test_other_threads_say_nothing(terminal: Terminal) -> None:
    thread = threading.Thread(target=slow)
    thread.start()
    thread.join()
    assert terminal.getvalue() == ""


def test_an_error_ends_the_line(terminal: Terminal) -> None:
    @answers_options
    def failing() -> None:
        time.sleep(0.1)
        raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        failing()
    assert threading.active_count() == before and terminal.getvalue().rpartition("\r")[2] == ""
    slow()
    assert "slow: 0:00" in terminal.getvalue()


def test_a_fit_and_what_it_is_asked_have_lines(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(progress, "_count_seconds", lambda label, ended: said.append(label))
    data = interlace.datasets.load("sleepstudy")
    m = interlace.lmer("Reaction ~ Days + (1 | Subject)", data)
    plain = interlace.lm("Reaction ~ Days | Subject", data)
    interlace.step(m)
    interlace.modeltable([m, plain])
    m.check()
    plain.coef_table()
    assert said == ["lmer", "lm", "step", "modeltable", "check", "coef_table"]


def test_pipelines_are_silent(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard error is a file: no bar, no line, whatever lasts."""
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    data = interlace.datasets.load("sleepstudy")
    m: Any = interlace.lmer("Reaction ~ Days + (1 | Subject)", data)
    m.cross_validate("Subject")
    m.influence("Subject")
    m.bootstrap(5, seed=1)
    slow()
    assert list(progress.pieces(((1, x) for x in "ab"), 2, "things")) == ["a", "b"]
    assert capfd.readouterr() == ("", "")


def test_standard_error_that_was_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in programs without a console."""
    monkeypatch.setattr(sys, "stderr", None)
    assert slow(0.0) == "done" and list(progress.watched("ab", 2, None, "things")) == ["a", "b"]
