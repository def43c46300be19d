"""One simulated round, told event by event as a loop's agents would send it."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from queries.simulator.loops import PRICES, Loop, Tool, Trial
from queries.simulator.tape import Event, Ids, Tape

PASSES = 0.6  # a case passes from this score on
CLOSING_S = 18  # about what judging, scoring and reflecting take after the trial
PHASES = {"plan": "proposal", "propose": "proposal", "judge": "score"}  # of a model call, by its name
TOOL_FAILS, MODEL_FAILS, ROUTED = 0.05, 0.005, 0.3  # shares of calls


def task_type(target: str) -> str:
    """What the router calls the work on a target: `prompts/system.md` is prompts, `template.tags` template."""
    return target.replace("/", ".").partition(".")[0]


class Outcome(StrEnum):
    UNPROPOSED = "unproposed"
    UNAPPLIED = "unapplied"
    UNSCORED = "unscored"
    REVERTED = "reverted"
    KEPT = "kept"
    CUT_IN_PLAN = "cut_in_plan"  # the process died: no ending
    CUT_IN_TRIAL = "cut_in_trial"


@dataclass(frozen=True, slots=True)
class Round:
    """What happens, decided before it is told. `seconds` is the time there is for it; `best` is the score to beat."""

    index: int
    started: float
    seconds: float
    outcome: Outcome
    best: float
    stall_rounds: int
    score: float | None
    dims: Mapping[str, float]
    regressed: tuple[tuple[str, float], ...]  # dimension and its score before
    escalated_because: str
    token_factor: float


@dataclass(frozen=True, slots=True)
class Told:
    events: list[Event]
    ended: float
    cost_usd: float
    calls: int


@dataclass(frozen=True, slots=True)
class Call:
    """One answered model call."""

    model: str
    prompt_tokens: int
    answer_tokens: int
    latency_s: float

    @property
    def cost_usd(self) -> float:
        prompt, answer = PRICES[self.model]
        return round((self.prompt_tokens * prompt + self.answer_tokens * answer) / 1_000_000, 6)

    @property
    def latency_ms(self) -> int:
        return int(self.latency_s * 1000)


def tell_round(loop: Loop, round: Round, common: Mapping[str, object], chance: random.Random, ids: Ids) -> Told:
    return _Teller(loop, round, Tape(round.started, common), chance, ids).tell()


class _Teller:
    def __init__(self, loop: Loop, round: Round, tape: Tape, chance: random.Random, ids: Ids) -> None:
        self.loop, self.round, self.tape, self.chance, self.ids = loop, round, tape, chance, ids
        self.idea = chance.choice(loop.ideas).format(n=chance.randint(2, 9))
        self.target = chance.choice(loop.targets)
        self.tools = chance.sample(loop.tools, chance.choice((1, 1, 2)))
        self.coder = loop.bigger if round.escalated_because else loop.coder
        self.cost_usd = 0.0
        self.calls = 0

    def tell(self) -> Told:
        self._act()
        return Told(self.tape.events, self.tape.at, self.cost_usd, self.calls)

    def _act(self) -> None:
        outcome = self.round.outcome
        self._start()
        self._plan()
        if outcome is Outcome.CUT_IN_PLAN:
            return
        self._look_around()
        if not self._propose(fails=outcome is Outcome.UNPROPOSED):
            return self._revert(self.loop.unproposed.mode)
        if outcome is Outcome.UNAPPLIED:
            self.tape.wait(self.chance.uniform(0.3, 2))
            return self._revert(self.loop.unapplied.mode)
        self._apply()
        if not self._try():
            return None if outcome is Outcome.CUT_IN_TRIAL else self._revert(self.loop.unscored.mode)
        self._score()
        self._reflect()
        if outcome is Outcome.KEPT:
            return self._keep()
        return self._revert("dimension_regressed" if self.round.regressed else "no_improvement")

    def _start(self) -> None:
        round = self.round
        self.tape.tell(
            "planner",
            "round_started",
            {
                "model": self.loop.coder,
                "diff_lines": self.chance.randint(2, 60),
                "baseline_score": round.best,
                "n_prior_rounds": round.index,
            },
        )

    def _plan(self) -> None:
        question = f"Round {self.round.index + 1}. Best so far {self.round.best}. What do we try next?"
        step_id = self.ids.ulid(self.tape.at)
        self._generate("planner", self.loop.planner, "plan", question, self.idea, (2400, 5200), (220, 520), step_id)
        self.tape.tell(
            "planner",
            "step.plan",
            {
                "step_id": step_id,
                "plan": f"{self.idea}. Only {self.target} changes; revert unless it beats {self.round.best}.",
                "next_action": self.tools[0].name,
                "confidence": round(self.chance.uniform(0.45, 0.92), 2),
            },
        )
        if self.round.escalated_because:
            self.tape.wait(0.2)
            self.tape.tell(
                "planner",
                "model_escalated",
                {
                    "from_model": self.loop.coder,
                    "to_model": self.coder,
                    "stall_rounds": self.round.stall_rounds,
                    "reason": self.round.escalated_because,
                },
            )

    def _look_around(self) -> None:
        for tool in self.tools:
            self._use(tool)
        noise = self.loop.fall * self.chance.gauss(0, 0.5)
        self.tape.tell(
            "critic",
            "step.observation",
            {
                "step_id": self.ids.ulid(self.tape.at),
                "source": "score_history",
                "value": round(self.round.best + noise, self.loop.digits),
                "delta_from_last": round(noise, self.loop.digits),
            },
        )

    def _use(self, tool: Tool) -> None:
        step_id = self.ids.ulid(self.tape.at)
        self._call(tool, step_id, 30)
        if self.chance.random() < TOOL_FAILS:
            error = self.chance.choice(("connection reset by peer", "temporarily unavailable", "worker restarted"))
            self._return(tool, step_id, self.chance.uniform(2, 9), error)
            self.tape.wait(self.chance.uniform(0.5, 2))
            retry = {"step_id": step_id, "cause": error, "attempt": 2, "prior_error": f"{tool.name}: {error}"}
            self.tape.tell("coder", "step.retry", retry)
            self._call(tool, step_id, 30)
        self._return(tool, step_id, tool.latency_s * self.chance.lognormvariate(0, 0.5))

    def _call(self, tool: Tool | Trial, step_id: str, timeout_s: int) -> None:
        arguments = tool.arguments.replace("TARGET", self.target)
        called = {"step_id": step_id, "tool": tool.name, "args_json": arguments, "timeout_ms": timeout_s * 1000}
        self.tape.tell("coder", "step.tool_called", called)

    def _return(self, tool: Tool | Trial, step_id: str, seconds: float, error: str = "") -> None:
        self.tape.wait(seconds)
        returned: dict[str, object] = {
            "step_id": step_id,
            "tool": tool.name,
            "ok": not error,
            "latency_ms": int(seconds * 1000),
            "result_bytes": 0 if error else self.chance.randint(300, 24_000),
        }
        self.tape.tell("coder", "step.tool_returned", returned | ({"error": error} if error else {}))

    def _propose(self, *, fails: bool) -> bool:
        self.tape.wait(self.chance.uniform(0.2, 1.5))
        question = f"Write the change to {self.target}: {self.idea}. Answer with the patch alone."
        answer = "I could not find a place where this applies." if fails else self._patch()
        call = self._generate("coder", self.coder, "propose", question, answer, (5200, 11_000), (500, 1500))
        if self.chance.random() < ROUTED:
            self._route(call)
        if fails:
            return False
        proposed = {
            "prompt_tokens": call.prompt_tokens,
            "completion_tokens": call.answer_tokens,
            "cost_usd": call.cost_usd,
            "latency_ms": call.latency_ms,
        }
        self.tape.tell("coder", "proposal_generated", proposed)
        return True

    def _patch(self) -> str:
        return f"--- a/{self.target}\n+++ b/{self.target}\n@@ round {self.round.index + 1} @@\n+# {self.idea}\n"

    def _apply(self) -> None:
        seconds = self.chance.uniform(0.2, 1.8)
        self.tape.wait(seconds)
        applied = {
            "target": self.target,
            "diff_bytes": self.chance.randint(120, 3200),
            "apply_latency_ms": int(seconds * 1000),
        }
        self.tape.tell("coder", "proposal_applied", applied)

    def _try(self) -> bool:
        """The trial takes what is left of the round."""
        step_id, trial = self.ids.ulid(self.tape.at), self.loop.trial
        self._call(trial, step_id, trial.timeout_s)
        left_s = self.round.started + self.round.seconds - self.tape.at - CLOSING_S
        if self.round.outcome is Outcome.CUT_IN_TRIAL:
            return False
        if self.round.outcome is Outcome.UNSCORED:
            self._return(trial, step_id, max(6.0, left_s * self.chance.uniform(0.2, 1)), self.loop.unscored.error)
            return False
        self._return(trial, step_id, max(20.0, left_s))
        return True

    def _score(self) -> None:
        suite_id, loop, dims = self.ids.ulid(self.tape.at), self.loop, self.round.dims
        shown = sorted(self.chance.sample(sorted(dims), min(4, len(dims))))
        told = {"suite": loop.suite, "n_cases": len(shown), "scorer_version": loop.scorer_version}
        self.tape.tell("judge", "eval.run", {"suite_id": suite_id, **told})
        answer = json.dumps({dim: dims[dim] for dim in shown})
        question = f"Score the candidate on {', '.join(shown)}."
        self._generate("judge", loop.judge, "judge", question, answer, (1800, 3400), (140, 320), suite_id)
        for dim in shown:
            score = dims[dim]
            passed = score >= PASSES
            case = {
                "suite_id": suite_id,
                "case_id": f"{loop.suite}/{dim}",
                "dim": dim,
                "score": score,
                "rationale": f"{dim.replace('_', ' ')} is {'good enough' if passed else 'below the line'} at {score}.",
                "passed": passed,
            }
            self.tape.tell("judge", "eval.case", case)
        for dim, before in self.round.regressed:
            regression = {
                "suite_id": suite_id,
                "case_id": f"{loop.suite}/{dim}",
                "dim": dim,
                "prior_score": before,
                "new_score": dims[dim],
                "delta": round(dims[dim] - before, 4),
            }
            self.tape.tell("judge", "eval.regression", regression)
        scored: dict[str, object] = {"score": self.round.score}
        scored |= {f"dim_{dim}": value for dim, value in dims.items()}
        scored |= {
            "score_goal": loop.goal,
            "scorer_version": loop.scorer_version,
            "scorer_variant": "full",
            "quality_score": round(self.chance.uniform(0.82, 0.96), 3),
        }
        self.tape.wait(0.3)
        self.tape.tell("judge", "round_scored", scored)

    def _reflect(self) -> None:
        self.tape.wait(self.chance.uniform(0.5, 2.5))
        kept = self.round.outcome is Outcome.KEPT
        reflection = {
            "step_id": self.ids.ulid(self.tape.at),
            "verdict": "keep" if kept else "revert",
            "issues": [f"{dim} fell" for dim, _ in self.round.regressed],
            "retry": not kept and self.chance.random() < 0.15,
        }
        self.tape.tell("critic", "step.reflection", reflection)

    def _keep(self) -> None:
        self.tape.wait(0.4)
        score = self.round.score
        assert score is not None
        kept = {"delta": round(score - self.round.best, self.loop.digits), "new_best": True, "cost_usd": self._spent()}
        self.tape.tell("planner", "round_kept", kept)

    def _revert(self, failure_mode: str) -> None:
        self.tape.wait(0.4)
        dims = [dim for dim, _ in self.round.regressed] if self.round.score is not None else []
        reverted = {"failure_mode": failure_mode, "cost_usd": self._spent(), "regressed_dimensions": dims}
        self.tape.tell("planner", "round_reverted", reverted)

    def _spent(self) -> float:
        return round(self.cost_usd, 6)

    def _generate(
        self,
        agent: str,
        model: str,
        name: str,
        question: str,
        answer: str,
        prompt_tokens: tuple[int, int],
        answer_tokens: tuple[int, int],
        parent: str = "",
    ) -> Call:
        """One model call, as the SDK reports it when the call is over. Cost is left to the server's price table."""
        about: dict[str, object] = {
            "phase": PHASES[name],
            "task_type": task_type(self.target),
            "$ai_span_name": name,
            "$ai_provider": "anthropic",
            "$ai_model": model,
            "$ai_input": [{"role": "system", "content": self.loop.brief}, {"role": "user", "content": question}],
        }
        if parent:
            about["$ai_parent_id"] = parent
        if self.chance.random() < MODEL_FAILS:
            self._overloaded(agent, about)
        tokens = [int(self.chance.randint(*span) * self.round.token_factor) for span in (prompt_tokens, answer_tokens)]
        latency_s = round((1.2 + tokens[1] / 55) * self.chance.lognormvariate(0, 0.2), 3)
        self.tape.wait(latency_s)
        answered = {
            "$ai_span_id": self.ids.span(),
            "$ai_input_tokens": tokens[0],
            "$ai_output_tokens": tokens[1],
            "$ai_latency": latency_s,
            "$ai_http_status": 200,
            "$ai_stop_reason": "end_turn",
            "$ai_output_choices": [{"role": "assistant", "content": [{"type": "text", "text": answer}]}],
        }
        self.tape.tell(agent, "$ai_generation", about | answered)
        call = Call(model, tokens[0], tokens[1], latency_s)
        self.cost_usd += call.cost_usd
        self.calls += 1
        return call

    def _overloaded(self, agent: str, about: Mapping[str, object]) -> None:
        latency_s = round(self.chance.uniform(0.8, 4), 3)
        failed = {"$ai_is_error": True, "$ai_error": "overloaded", "$ai_http_status": 529, "$ai_latency": latency_s}
        self.tape.wait(latency_s)
        self.tape.tell(agent, "$ai_generation", {**about, "$ai_span_id": self.ids.span(), **failed})
        self.tape.wait(self.chance.uniform(2, 5))

    def _route(self, call: Call) -> None:
        quality = round(self.chance.uniform(0.7, 0.97), 3)
        request = {
            "user_id": f"{self.loop.project}-coder",
            "task_type": task_type(self.target),
            "model_used": call.model,
            "input_tokens": call.prompt_tokens,
            "output_tokens": call.answer_tokens,
            "cost_usd": call.cost_usd,
            "quality_score": quality,
            "efficiency_grade": "A" if quality > 0.9 else "B" if quality > 0.8 else "C",
            "latency_ms": call.latency_ms,
        }
        self.tape.tell("coder", "token_machine.request", request)
