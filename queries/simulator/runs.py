"""One simulated run: a client's night in one loop. Decides each round, has it told, and ends the night."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from queries.simulator.knobs import Knob, variants
from queries.simulator.loops import Client, Loop
from queries.simulator.rounds import Outcome, Round, task_type, tell_round
from queries.simulator.stories import STALL_LIMIT, Script
from queries.simulator.tape import Event, Ids, Tape

# Real loops keep about one round in five or six. The chance grows with the wait, so that a quiet night has no dry
# spell long enough to look like a story.
KEEP_CHANCE, KEEP_CHANCE_GROWTH = 0.08, 0.035
KEEP_CHANCE_AFTER_BAD_DEPLOY = 0.01
BAD_DEPLOY_FALL = 0.07
ESCALATES_EVERY = 10  # rounds without a new best
WEAK_LEVEL = 0.45
REGRESSES, REGRESSES_AFTER_BAD_DEPLOY = 0.02, 0.45  # of reverted rounds


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and when a run takes place.

    `slots` are the rounds' starts in seconds since the epoch, `room_s` the time a round has; `shas` the code before and
    after the script's deploy; `levels` each dimension's habitual distance from the score (its mean where goal is min);
    `knobs` the flags that are read, drawn from `flags`.
    """

    loop: Loop
    client: Client
    script: Script
    slots: tuple[float, ...]
    room_s: float
    shas: tuple[str, str]
    levels: Mapping[str, float]
    knobs: tuple[Knob, ...]
    flags: random.Random


@dataclass(frozen=True, slots=True)
class Run:
    """`flushes` are the events of one round each, in the order they were sent; `best` is the score at the end."""

    flushes: list[list[Event]]
    best: float


def play_run(setting: Setting, best: float, chance: random.Random, ids: Ids) -> Run:
    run = _Run(setting, best, chance, ids)
    run.play()
    return Run(run.flushes, run.best)


class _Run:
    def __init__(self, setting: Setting, best: float, chance: random.Random, ids: Ids) -> None:
        self.setting, self.loop, self.script = setting, setting.loop, setting.script
        self.chance, self.ids = chance, ids
        self.best, self.stall, self.kept, self.ended, self.calls, self.cost_usd = best, 0, 0, 0, 0, 0.0
        self.common: dict[str, object] = {
            "project": setting.loop.project,
            "client": setting.client.name,
            "run_id": ids.ulid(setting.slots[0]),
        }
        self.at = 0.0
        self.flushes: list[list[Event]] = []

    def play(self) -> None:
        for index, slot in enumerate(self.setting.slots):
            if index == self.script.crash_at:
                return self._crash(index, slot)
            self._play_round(index, max(slot, self.at + 1), self._outcome(index))
            if self.script.stalled_from is not None and index + 1 == self.script.stalled_from + STALL_LIMIT:
                return self._stop("stall_limit")
        return self._stop(self.loop.usual_stop)

    def _play_round(self, index: int, started: float, outcome: Outcome) -> None:
        """Ends with `common` naming this round and `at` at its last event."""
        round_id = self.ids.ulid(started)
        sha = self.setting.shas[1 if self._is_deployed(index) else 0]
        self.common |= {"round_id": round_id, "$ai_trace_id": round_id, "git_sha": sha, "simulated": True}
        round = self._decide(index, started, outcome)
        self.common |= variants(self.setting.knobs, self._is_good(round), self.setting.flags)
        told = tell_round(self.loop, round, self.common, self.chance, self.ids)
        self.flushes.append(told.events)
        self.at = told.ended
        self.cost_usd += told.cost_usd
        self.calls += told.calls
        self.ended += outcome not in (Outcome.CUT_IN_PLAN, Outcome.CUT_IN_TRIAL)
        if round.score is not None and outcome is Outcome.KEPT:
            self.best, self.stall, self.kept = round.score, 0, self.kept + 1
        else:
            self.stall += 1

    def _is_deployed(self, index: int) -> bool:
        return self.script.deploy_at is not None and index >= self.script.deploy_at

    def _outcome(self, index: int) -> Outcome:
        draw = self.chance.random()
        for outcome, failure in (
            (Outcome.UNPROPOSED, self.loop.unproposed),
            (Outcome.UNAPPLIED, self.loop.unapplied),
            (Outcome.UNSCORED, self.loop.unscored),
        ):
            if draw < failure.share:
                return outcome
            draw -= failure.share
        return Outcome.KEPT if self.chance.random() < self._keep_chance(index) else Outcome.REVERTED

    def _keep_chance(self, index: int) -> float:
        if self.script.stalled_from is not None and index >= self.script.stalled_from:
            return 0.0
        if self._is_deployed(index):
            return KEEP_CHANCE_AFTER_BAD_DEPLOY
        return KEEP_CHANCE + KEEP_CHANCE_GROWTH * self.stall

    def _decide(self, index: int, started: float, outcome: Outcome) -> Round:
        is_worse = self._is_deployed(index)
        score = self._score(outcome, is_worse)
        dims = {} if score is None else self._dims(score)
        regressed = self._regress(dims, is_worse) if outcome is Outcome.REVERTED else ()
        return Round(
            index=index,
            started=started,
            seconds=self.setting.room_s * self.chance.uniform(0.78, 0.94),
            outcome=outcome,
            best=self.best,
            stall_rounds=self.stall,
            score=score,
            dims=dims,
            regressed=regressed,
            escalated_because=self._escalates(index),
            token_factor=self.script.token_factor,
        )

    def _escalates(self, index: int) -> str:
        if index in self.script.escalated:
            return "low_confidence"
        return "stall" if self.stall and self.stall % ESCALATES_EVERY == 0 else ""

    def _score(self, outcome: Outcome, is_worse: bool) -> float | None:
        """A kept score beats the best by at least the last digit, a reverted one never does."""
        loop, unit = self.loop, 10.0**-self.loop.digits
        better = 1 if loop.goal == "max" else -1
        if outcome is Outcome.KEPT:
            gap = abs(loop.limit - self.best)
            gain = gap * min(0.9, loop.stride * self.script.gain_factor * self.chance.uniform(0.5, 1.6))
            return round(self.best + better * max(unit, gain), loop.digits)
        if outcome is Outcome.REVERTED:
            fall = loop.fall * self.chance.lognormvariate(0, 0.8) + (BAD_DEPLOY_FALL if is_worse else 0)
            return round(self.best - better * max(unit, fall), loop.digits)
        return None

    def _is_good(self, round: Round) -> bool | None:
        """Kept, or no further behind the best than usual; the code's own fall after a bad deploy aside."""
        if round.score is None:
            return None
        gain = (round.score - round.best) * (1 if self.loop.goal == "max" else -1)
        return gain + (BAD_DEPLOY_FALL if self._is_deployed(round.index) else 0) > -self.loop.fall

    def _dims(self, score: float) -> dict[str, float]:
        base = score if self.loop.goal == "max" else 0.0
        dims = {
            dim: round(min(1.0, max(0.0, base + level + self.chance.gauss(0, 0.012))), 4)
            for dim, level in self.setting.levels.items()
        }
        if self.script.weak_dim:
            dims[self.script.weak_dim] = round(WEAK_LEVEL + self.chance.gauss(0, 0.025), 4)
        return dims

    def _regress(self, dims: dict[str, float], is_worse: bool) -> tuple[tuple[str, float], ...]:
        """Now and then one dimension falls by itself. It is changed in `dims`; its score before is returned."""
        if self.chance.random() >= (REGRESSES_AFTER_BAD_DEPLOY if is_worse else REGRESSES):
            return ()
        dim = self.chance.choice(self.setting.client.dims)
        before = dims[dim]
        dims[dim] = round(before - self.chance.uniform(0.08, 0.16) / (1 if is_worse else 3), 4)
        return ((dim, before),)

    def _crash(self, index: int, slot: float) -> None:
        """The process dies in this round's trial, with the next round already prepared: neither ever ends."""
        self._play_round(index, max(slot, self.at + 1), Outcome.CUT_IN_TRIAL)
        crashed = dict(self.common)
        self._play_round(index + 1, self.at + 2, Outcome.CUT_IN_PLAN)
        tape = Tape(self.at + self.chance.uniform(15, 40), crashed)
        tape.tell("coder", "$exception", _OUT_OF_MEMORY)
        tape.wait(0.5)
        tape.tell("planner", "stop_triggered", self._stopped("crash"))
        self.flushes.append(tape.events)

    def _stop(self, reason: str) -> None:
        tape = Tape(self.at + 1, self.common)
        tape.tell("planner", "stop_triggered", self._stopped(reason))
        project = self.loop.project
        if self.kept > 2 and self.chance.random() < 0.35:
            batch_id = self.ids.ulid(tape.at)
            batch = {
                "batch_id": batch_id,
                "n_examples": self.kept * self.chance.randint(5, 9),
                "r2_key": f"finetune/{project}/{batch_id.lower()}.jsonl",
                "target_model": "loop-coder-8b",
            }
            tape.tell("planner", "finetune_batch_published", batch)
        summary = {
            "total_requests": self.calls,
            "total_cost": round(self.cost_usd, 4),
            "avg_quality": round(self.chance.uniform(0.8, 0.9), 3),
            "worst_performer": f"{project}-coder",
            "best_performer": f"{project}-judge",
            "escalation_candidates": [f"{project}-coder"] if self.stall > ESCALATES_EVERY else [],
        }
        tape.tell("planner", "token_machine.team_summary", summary)
        for kind, advice in self._anomalies():
            about = {"user_id": f"{project}-coder", "task_type": task_type(self.loop.targets[0])}
            anomaly = {"type": kind, **about, "recommendation": advice}
            tape.tell("planner", "token_machine.anomaly", anomaly)
        self.flushes.append(tape.events)

    def _stopped(self, reason: str) -> dict[str, object]:
        return {
            "reason": reason,
            "rounds_completed": self.ended,
            "total_cost_usd": round(self.cost_usd, 4),
            "final_best_score": self.best,
        }

    def _anomalies(self) -> list[tuple[str, str]]:
        if self.script.token_factor > 1:
            return [("cost_spike", "Prompts are several times longer than last week's: trim the context.")]
        if self.chance.random() < 0.06:
            return [("slow_responses", "A few calls took twice the usual time: look again if it stays.")]
        return []


_OUT_OF_MEMORY: dict[str, object] = {
    "$exception_level": "error",
    "$exception_list": [
        {
            "type": "OutOfMemoryError",
            "value": "CUDA out of memory. Tried to allocate 2.31 GiB; 1.07 GiB is free.",
            "mechanism": {"type": "generic", "handled": False},
            "stacktrace": {
                "type": "raw",
                "frames": [
                    {"filename": "loop.py", "function": "run_round", "lineno": 148, "in_app": True},
                    {"filename": "train.py", "function": "train", "lineno": 312, "in_app": True},
                    {"filename": "model/attention.py", "function": "forward", "lineno": 67, "in_app": True},
                ],
            },
        }
    ],
}
