"""What a command does that is about the engine and no report: signals held back, memory, sources, consent. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from engine.decision import Decision, Refused
from engine.effects import ReleaseSignal, Remember, SetMeta, SwitchSource, WeighSource, Withdraw
from engine.model import Command, Note
from workspace.text import plain

CONSENT = "model_consent"
"""The key under which `meta` keeps the owner's answer: `{"answer", "at", ...}`, with what was shown to them."""


def decide(safety: str, command: Command, now: datetime) -> Decision:
    """`safety` is what was found of the signal that the command names. Raises `LoopdeskError`."""
    if command.verb == "release":
        return _release(safety, command)
    return _VERBS[command.verb](command, now)


def _release(safety: str, command: Command) -> Decision:
    if safety not in ("blocked", "held"):
        raise Refused("That signal is not held back")
    return Decision(
        (ReleaseSignal(str(command.arguments["signal"]), command.id),), "Released; it is grouped like others."
    )


def _remember(command: Command, now: datetime) -> Decision:
    key, text = str(command.arguments["key"]), str(command.arguments["text"])
    return Decision((Remember(Note(key, text, "", command.id, now)),), f"Remembered as {plain(key, 80)}.")


def _forget(command: Command, now: datetime) -> Decision:
    key = str(command.arguments["key"])
    return Decision((Withdraw(key),), f"{plain(key, 80)} is not used any more.")


def _weigh(command: Command, now: datetime) -> Decision:
    source, weight = str(command.arguments["source"]), command.arguments.get("weight")
    said = "follows its record again" if weight is None else f"weighs {weight} of what it would"
    return Decision(
        (WeighSource(source, weight),),  # type: ignore[arg-type]  # checked
        f"{plain(source, 80)} {said}.",
    )


def _switch(command: Command, now: datetime) -> Decision:
    source, on = str(command.arguments["source"]), command.arguments.get("on")
    said = {True: "is switched on", False: "is switched off", None: "is as it is configured"}[on]  # type: ignore[index]
    return Decision(
        (SwitchSource(source, on),),  # type: ignore[arg-type]  # checked
        f"{plain(source, 80)} {said}.",
    )


def _consent(command: Command, now: datetime) -> Decision:
    is_yes = command.arguments["answer"] == "yes"
    kept = {**command.arguments, "at": now.isoformat()}
    said = "Models may be called, within the budgets." if is_yes else "No model is called; rules judge."
    return Decision((SetMeta(CONSENT, kept),), said)


_VERBS: Mapping[str, Callable[[Command, datetime], Decision]] = {
    "remember": _remember,
    "forget": _forget,
    "weigh": _weigh,
    "switch": _switch,
    "consent": _consent,
}
