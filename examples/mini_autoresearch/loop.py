"""A real autoresearch loop without a model: it tunes a compressor, keeps what is better and reverts what is not.

Every round is a git commit in a repository of its own; a round that is not better is reset. What happens is sent to
PostHog, or to `loopdesk serve`, through the drop-in client, as any loop would:

    export POSTHOG_HOST=... POSTHOG_API_KEY=...      # as `loopdesk serve` prints them
    python examples/mini_autoresearch/loop.py
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from compressor import Measured, Settings, corpus, measure, propose

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # a loop of your own has its copy beside it
from observability import posthog_client as ph

PASS_RATIO = 0.70
STALL = 12  # rounds without a new best before the proposer is changed for one that takes bigger steps
PROPOSERS = ("neighbour", "leap")
CPU_USD_PER_S = 0.05 / 3600  # what a small rented core costs


@dataclass(slots=True)
class Progress:
    """What the loop knows between two rounds."""

    settings: Settings
    measured: Measured | None = None
    proposer: str = PROPOSERS[0]
    stalled: int = 0
    rounds: int = 0
    kept: int = 0
    cost_usd: float = 0.0


class Repository:
    """The settings under version control."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.settings = folder, folder / "compressor.json"
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / ".git").exists():
            self.git("init", "--quiet", "--initial-branch=main")
        if not self.settings.exists():
            Settings().save(self.settings)
            self.commit("baseline")

    def git(self, *arguments: str) -> str:
        identity = (
            "-c",
            "user.name=mini-autoresearch",
            "-c",
            "user.email=mini@localhost",
            "-c",
            "commit.gpgsign=false",
        )
        command = ["git", "-C", str(self.folder), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, message: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "--short", "HEAD")

    def drop_last(self) -> None:
        self.git("reset", "--quiet", "--hard", "HEAD~1")


def play_round(
    progress: Progress, repository: Repository, documents: Mapping[str, bytes], chance: random.Random
) -> None:
    """One propose, apply, score, keep or revert."""
    started = time.process_time()
    best = progress.measured.score if progress.measured else None
    ph.round_started(model=progress.proposer, baseline_score=best, n_prior_rounds=progress.rounds)
    knobs = 0 if best is None else 1 if progress.proposer == PROPOSERS[0] else 3
    candidate, change = propose(progress.settings, knobs, chance)
    change = change or "measure the baseline"
    ph.step_plan(f"Try {change}", next_action="write compressor.json", confidence=0.5 if knobs == 1 else 0.3)
    ph.proposal_generated(prompt_tokens=0, completion_tokens=0, cost_usd=0.0, latency_ms=0)
    candidate.save(repository.settings)
    commit = ph.step_tool("git_commit", repository.commit, {"message": change})
    ph.proposal_applied(target="compressor.json", diff_bytes=len(change))
    try:
        found = ph.step_tool(
            "measure", partial(measure, documents=documents), {"settings": candidate}, timeout_ms=10_000
        )
    except Exception as error:  # settings that the library refuses
        repository.drop_last()
        progress.stalled += 1
        ph.step_reflection("cannot work", issues=[str(error)], retry=False)
        ph.round_reverted(failure_mode="crash", cost_usd=_cost(started, progress), commit=commit)
        return
    _tell_cases(found, progress.measured)
    ph.step_observation("score", found.score, delta_from_last=None if best is None else found.score - best)
    ph.round_scored(
        found.score, dimensions=found.dimensions, score_goal="max", scorer_version="1", quality_score=found.score
    )
    delta = None if best is None else round(found.score - best, 5)
    if best is None or found.score > best:
        progress.settings, progress.measured, progress.stalled = candidate, found, 0
        progress.kept += 1
        ph.round_kept(delta=delta, new_best=True, cost_usd=_cost(started, progress), commit=commit)
        return
    regressed = [name for name, value in found.dimensions.items() if value < progress.measured.dimensions[name]]
    repository.drop_last()
    progress.stalled += 1
    ph.step_reflection("not better", issues=regressed, retry=False)
    ph.round_reverted(
        failure_mode="no_improvement",
        delta=delta,
        cost_usd=_cost(started, progress),
        regressed_dimensions=regressed,
        commit=commit,
    )


def _tell_cases(found: Measured, best: Measured | None) -> None:
    suite = ph.eval_suite("corpus", n_cases=len(found.ratios), scorer_version="1")
    for name, ratio in found.ratios.items():
        suite.case(
            name,
            dim="ratio",
            score=round(ratio, 5),
            passed=ratio >= PASS_RATIO,
            rationale=f"{ratio:.1%} smaller",
            prior_score=round(best.ratios[name], 5) if best else None,
        )


def _cost(started: float, progress: Progress) -> float:
    cost = (time.process_time() - started) * CPU_USD_PER_S
    progress.cost_usd += cost
    return cost


def escalate(progress: Progress) -> None:
    """After a stall the proposer takes bigger steps: what a loop with models calls a bigger model."""
    ph.model_escalated(
        from_model=progress.proposer, to_model=PROPOSERS[1], stall_rounds=progress.stalled, reason="stall"
    )
    progress.proposer, progress.stalled = PROPOSERS[1], 0


def why_stop() -> str:
    """What the owner's flags say as the round begins: a reason to stop, or nothing."""
    if ph.should_stop():
        return "kill_switch"
    return "budget" if ph.over_budget() else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.0, metavar="SECONDS", help="between two rounds")
    parser.add_argument("--dir", type=Path, help="the repository; default is a temporary one")
    options = parser.parse_args()
    os.environ.setdefault("AUTORESEARCH_PROJECT", "mini-autoresearch")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave through `finally`: the events are sent
    with tempfile.TemporaryDirectory(prefix="mini-autoresearch-") as folder:
        repository = Repository(options.dir or Path(folder))
        progress = Progress(Settings.load(repository.settings))
        documents, chance = corpus(), random.Random(options.seed)
        with ph.run(agent="tuner"):
            reason = "interrupted"
            try:
                for _ in range(options.rounds):
                    with ph.round_(agent="tuner"):
                        if said := why_stop():
                            reason = said
                            break
                        play_round(progress, repository, documents, chance)
                    progress.rounds += 1
                    if progress.stalled >= STALL and progress.proposer == PROPOSERS[0]:
                        escalate(progress)
                    time.sleep(options.pause)
                else:
                    reason = "max_rounds"
            finally:
                best = progress.measured.score if progress.measured else None
                ph.stop_triggered(
                    reason=reason,
                    rounds_completed=progress.rounds,
                    total_cost_usd=progress.cost_usd,
                    final_best_score=best,
                )
                ph.shutdown()
    print(f"{progress.rounds} rounds, {progress.kept} kept, best {best}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
