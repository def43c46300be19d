"""Whether a metric is better when it is lower or higher, read from its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from queries.importers.vocabulary import listed, words

Goal = Literal["min", "max"]

LOWER_IS_BETTER = frozenset(
    listed("""
        loss, losses, bpb, bpc, bits, error, errors, err, wer, cer, rmse, mse, mae, mape, rmsle, perplexity, ppl, nll,
        entropy, crossentropy, ce, brier, fid, kl, divergence, distance, regret, penalty, violations, failures, fails,
        misses, mistakes, issues, latency, time, duration, elapsed, runtime, seconds, secs, sec, ms, us, ns, minutes,
        mins, hours, p50, p90, p95, p99, cost, usd, price, size, bytes, kb, mb, gb, memory, vram, ram
    """)
)
HIGHER_IS_BETTER = frozenset(
    listed("""
        score, accuracy, acc, f1, auc, auroc, auprc, precision, recall, reward, return, returns, fitness, bleu, rouge,
        meteor, iou, map, ndcg, mrr, psnr, ssim, r2, sharpe, profit, throughput, speedup, mfu, flops, tps, qps, fps,
        pass, passed, solved, win, wins, winrate, likelihood, elo, coverage, quality, gain, utility, hits
    """)
)
# Written without a separator: "valloss", "testerror".
_LOWER_ENDINGS = ("loss", "error", "perplexity", "latency", "rmse", "bpb")
_HIGHER_ENDINGS = ("score", "accuracy", "reward", "throughput", "auc")
_NEGATED = frozenset({"neg", "negative", "negated", "minus"})
_COUNTED = frozenset({"tokens", "steps", "bytes", "mb", "gb"})


@dataclass(frozen=True, slots=True)
class GoalChoice:
    goal: Goal
    why: str


def direction(name: str) -> tuple[Goal, str] | None:
    """The goal and the word of `name` that tells it, or None. The last telling word counts: "accuracy_loss" is a loss.

    Before "per" stands what is counted: tokens_per_second is a throughput, seconds_per_step a duration.
    """
    parts = words(name)
    rate = "per" in parts
    if rate:
        parts = parts[: parts.index("per")]
    flipped = bool(_NEGATED & set(parts))
    for word in reversed(parts):
        if rate and word in _COUNTED:
            return "max", "per"
        lower = word in LOWER_IS_BETTER or word.endswith(_LOWER_ENDINGS)
        higher = word in HIGHER_IS_BETTER or word.endswith(_HIGHER_ENDINGS)
        if lower or higher:
            return ("min" if lower != flipped else "max"), word
    return None


def choose(metric: str, *, said: Goal | None = None, in_log: Goal | None = None) -> GoalChoice:
    """The goal with its reason: what the person said, else what the log says, else what the metric's name tells."""
    if said:
        return GoalChoice(said, "as given by --goal")
    if in_log:
        return GoalChoice(in_log, "the log says so")
    found = direction(metric)
    if found:
        return GoalChoice(found[0], f'from "{found[1]}" in its name')
    return GoalChoice("max", "nothing in its name says that lower is better")


def is_better(score: float, than: float | None, goal: Goal) -> bool:
    """Anything beats no score at all."""
    if than is None:
        return True
    return score < than if goal == "min" else score > than
