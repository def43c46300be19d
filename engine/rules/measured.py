"""What follows from a condition that one of our own sources has measured. Pure.

Actionable is what has something to begin with: a version, an error, failing cases, rounds whose traces can be read. To
be asked is what somebody must decide or has to go and see. P1 is for most of a loop's work, or money that is felt every
night; P2 for what is plainly worse; P3 for what is worth a look; P4 for what is over or nobody's to mend. P0 is what
cannot be had back, and none of our sources measures that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from engine.judge import Case
from engine.model import Signal
from engine.rules.seen import Seen, in_words, titled
from engine.rules.verdict import ASK, DROP, START, Verdict
from queries.views.words import counted, money, score, share, signed
from workspace.text import plain

FELT_USD = 5.0
"""More than this a night is felt."""
MOST_LOST = 0.5


def verdict(signal: Signal, case: Case) -> Verdict | None:
    """None for what is not of our own sources."""
    judged = BY_SOURCE.get((signal.source_product, signal.source_type))
    return judged(Seen(signal, case)) if judged else None


def _deploy(seen: Seen) -> Verdict:
    sha, before = seen.word("git_sha", 12), seen.word("git_sha_before", 12)
    kept, kept_before = seen.number("now", "kept_share"), seen.number("before", "kept_share")
    cost, cost_before = seen.number("now", "cost_usd"), seen.number("before", "cost_usd")
    if seen.measured("is_running") == 0:
        return Verdict(
            DROP,
            f"Another version runs by now, so {sha} does no more harm.",
            4,
            "It is over.",
            f"{sha} made {seen.loop} worse and was replaced",
            f"{sha} made {seen.loop} worse while it ran.",
            is_addressed=True,
        )
    score_now, score_before = seen.number("now", "score"), seen.number("before", "score")
    priority, why, what = 2, "Its rounds are plainly worse than with the version before.", "works worse"
    matters = f"{seen.loop} works worse since {sha}."
    if kept is not None and kept_before:
        what = f"keeps {share(kept)} of its rounds"
        why = f"It keeps {share(kept)} of its rounds, {share(kept_before)} before."
        if kept <= MOST_LOST * kept_before:
            priority = 1
            matters = f"Most of what {seen.loop} does since {sha} is thrown away."
    elif cost is not None and cost_before:
        what = f"costs {cost / cost_before:.1f} times as much"
        why = f"A round costs {money(cost)}, {money(cost_before)} before."
        matters = f"{seen.loop} pays more for a round since {sha}."
    elif score_now is not None and score_before is not None:
        what = "scores lower"
        why = f"Its rounds lie {signed(score_now)} from the best so far, {signed(score_before)} before."
    return Verdict(
        START,
        f"The version that did it is known: {sha}" + (f"; {before} was better." if before else "."),
        priority,
        why,
        titled(f"Revert or mend {sha}: {seen.loop} {what}", f"Revert or mend {sha}: {seen.short} {what}"),
        matters,
    )


def _stop(seen: Seen) -> Verdict:
    reason, times, since = seen.word("reason") or "an error", seen.number("stops") or 1, seen.measured("runs_since")
    if any(word in reason.lower() for word in ("kill", "operator")):
        if seen.measured("rounds_since"):
            return _went_on(seen, "was stopped by hand")
        return Verdict(
            ASK,
            "Somebody stopped it, and only people know why.",
            1,
            "No round has run since." if seen.measured("rounds_since") == 0 else "Nothing is known of later rounds.",
            f"Start {seen.loop} again, or leave it stopped",
            f"Somebody stopped {seen.loop} ({reason}), and it does nothing until somebody starts it.",
            f"Who stopped {seen.loop} ({reason}), and may it start again?",
        )
    cut = seen.number("rounds_completed")
    after = f", after {counted(int(cut), 'round')}" if cut else ""
    error = _error_of(seen)
    title = titled(*(f"Stop {name} from ending on {error or reason}" for name in (seen.loop, seen.short)))
    if since is None:
        later = "nothing is known of later runs"
    else:
        later = f"{counted(int(since), 'later run')} ended otherwise" if since else "no run has ended otherwise since"
    return Verdict(
        START,
        f"The error is known: {error}."
        if error
        else "The run says what it stopped on, and its last rounds can be read.",
        1 if times > 1 or since == 0 else 2,
        f"It ended on {reason} {in_words(times)}{after}; {later}.",
        title,
        "A run that ends early leaves the rest of its night unused.",
    )


def _error_of(seen: Seen) -> str:
    """The type of the error that ended the run, where it is in the same report."""
    fingerprint = seen.signal.extra.get("fingerprint")
    for other in seen.case.signals.values():
        if other.source_type == "exceptions" and fingerprint and other.extra.get("fingerprint") == fingerprint:
            return plain(other.title.partition(" in ")[0], 40)
    return ""


def _silent(seen: Seen) -> Verdict:
    if seen.measured("rounds_since"):
        return _went_on(seen, "went silent")
    return Verdict(
        ASK,
        "A run that says nothing leaves nothing to read: somebody has to look at its machine.",
        2,
        f"{counted(int(seen.number('silent_runs') or 1), 'run')} went silent"
        + (", and no round has come since." if seen.measured("rounds_since") == 0 else "."),
        f"Find out why {seen.loop} went silent",
        f"{seen.loop} stopped in the middle of its night without a word.",
        f"Is the machine of {seen.loop} up, and did anything kill its process?",
    )


def _missed(seen: Seen) -> Verdict:
    if seen.measured("rounds_since"):
        return _went_on(seen, "did not run")
    missed = int(seen.number("missed_nights") or 1)
    return Verdict(
        ASK,
        "Nothing of it arrives, so there is nothing to read: somebody has to look.",
        1 if missed > 1 else 2,
        f"It missed {counted(missed, 'night')} and all of {'their' if missed > 1 else 'its'} rounds.",
        f"Start {seen.loop} again: it did not run",
        f"{seen.loop} should have run and sent nothing.",
        f"Did you stop {seen.loop}? If not, start it and look at its machine.",
    )


def _went_on(seen: Seen, what: str) -> Verdict:
    rounds = counted(int(seen.measured("rounds_since") or 0), "round")
    return Verdict(
        DROP,
        f"It runs again: {rounds} since.",
        4,
        "It is over.",
        f"{seen.loop} {what} and runs again",
        f"{seen.loop} {what} for a while.",
    )


def _plateau(seen: Seen) -> Verdict:
    dry, spent = int(seen.number("rounds_without_best") or 0), seen.measured("spent_usd")
    cost = f"; last night cost {money(spent)}" if spent else ""
    felt = spent is not None and spent >= FELT_USD
    best = seen.number("best_score")
    return Verdict(
        ASK,
        "Nothing is broken that could be mended: what to try instead is a choice.",
        1 if felt and dry >= 100 else 2,
        f"{counted(dry, 'round')} in a row brought no new best{cost}.",
        f"Get {seen.loop} off its plateau of {dry} rounds",
        f"{seen.loop} works and does not get any better.",
        f"What should {seen.loop} try next: another kind of change, a bigger model, or "
        + (f"is {score(best)} good enough to stop it?" if best is not None else "shall it stop?"),
    )


def _dear(seen: Seen) -> Verdict:
    now, before = seen.number("per_round_usd"), seen.number("per_round_usd_before")
    spent = seen.number("spent_usd") or seen.measured("spent_usd")
    times = now / before if now is not None and before else None
    extra = spent * (1 - before / now) if spent and times and times > 1 and now and before else 0.0
    much = f"{times:.1f} times as much" if times else "more"
    why = f"It costs {money(extra)} more a night than before." if extra else f"A round costs {much}."
    return Verdict(
        START,
        "The dear rounds are known: their traces show which calls grew.",
        1 if extra >= FELT_USD else 2 if extra >= 1 or (times or 0) >= 2 else 3,
        why,
        titled(
            *(
                f"Bring a round of {name} back from {money(now)} to {money(before)}"
                if before
                else f"Bring the cost of {name}'s rounds down"
                for name in (seen.loop, seen.short)
            )
        ),
        f"{seen.loop} pays {much} for a round.",
    )


def _drift(seen: Seen) -> Verdict:
    rise = seen.number("rise")
    up = f"up {share(rise)}" if rise is not None else "up night by night"
    return Verdict(
        START,
        "It grows night by night, so the rounds of the first and the last night can be compared.",
        3,
        f"The cost of a round is {up}.",
        titled(*(f"Find what makes {name}'s rounds dearer: {up}" for name in (seen.loop, seen.short))),
        "What grows a little every night is not noticed until it is much.",
    )


def _regressed(seen: Seen) -> Verdict:
    hit, scored = seen.number("rounds_hit") or 0, seen.number("scored") or 0
    rate = hit / scored if scored else 0.0
    dim = seen.word("dimension")
    return Verdict(
        START,
        "The cases that got worse are named in its rounds.",
        1 if rate >= MOST_LOST else 2,
        f"{hit:.0f} of {scored:.0f} scored rounds got worse on some dimension.",
        titled(*(f"Stop {dim or 'dimensions'} of {name} from regressing" for name in (seen.loop, seen.short))),
        f"{seen.loop} loses on {dim or 'some dimensions'} what it wins elsewhere.",
    )


def _leak(seen: Seen) -> Verdict:
    lost, reached = seen.number("lost") or 0, seen.number("reached") or 0
    rate, stage, mode = lost / reached if reached else 0.0, seen.word("stage", 20), seen.word("failure_mode")
    known = mode and mode != "(no reason)"
    return Verdict(
        START if known else ASK,
        f"They say how they ended: {mode}." if known else "They do not say how they ended.",
        1 if rate >= MOST_LOST else 2,
        f"{lost:.0f} of {reached:.0f} rounds ({share(rate)}) were lost on the way.",
        titled(
            *(
                f"Keep rounds of {name} from ending before they are {stage or 'done'}"
                for name in (seen.loop, seen.short)
            )
        ),
        f"A round that is never {stage or 'done'} is paid for and brings nothing.",
        "" if known else f"Why do rounds of {seen.loop} end before they are {stage or 'done'}? They give no reason.",
    )


def _escalated(seen: Seen) -> Verdict:
    row, cost = int(seen.number("in_a_row") or 0), seen.number("cost_usd")
    kept, model = int(seen.number("kept") or 0), seen.word("to_model", 30) or "a bigger model"
    return Verdict(
        ASK,
        "A loop that is stuck hands over by design; whether so often is right is a choice.",
        2 if (cost or 0) >= FELT_USD else 3,
        f"{row} rounds in a row cost {money(cost)} and kept {kept}.",
        titled(*(f"Decide when {name} may hand over to {model}" for name in (seen.loop, seen.short))),
        "A bigger model costs more a round.",
        f"Is it right that {seen.loop} stays with {model} for {row} rounds ({money(cost)}, {kept} kept), or should it "
        "go back sooner?",
    )


def _weak(seen: Seen) -> Verdict:
    dim, own, others = seen.word("dimension") or "A dimension", seen.number("average"), seen.number("others")
    return Verdict(
        ASK,
        "It was always so: whether it is meant to be is not in the numbers.",
        3,
        f"It stays at {score(own)} where the others have {score(others)}.",
        titled(*(f"Lift {dim} of {name} from {score(own)}, or accept it" for name in (seen.loop, seen.short))),
        f"{dim} holds the score of {seen.loop} down every night.",
        f"Is {dim} of {seen.loop} meant to stay low (a template, the client's wish), or should the loop work on it?",
    )


def _scorer(seen: Seen) -> Verdict:
    now, before = seen.number("median"), seen.number("median_before")
    return Verdict(
        ASK,
        "Which of two scorers is right is for the owner of the scorer to say.",
        2,
        f"The median moved from {score(before)} to {score(now)}; scores on both sides cannot be compared.",
        titled(
            *(f"Settle how {name} is scored: {score(before)} is {score(now)} now" for name in (seen.loop, seen.short))
        ),
        f"As long as the scorer of {seen.loop} moves, a new best means nothing.",
        f"Is the new scoring of {seen.loop} meant? Then its best so far should be scored again.",
    )


def _error(seen: Seen) -> Verdict:
    times = int(seen.measured("thrown") or seen.number("occurrences") or 1)
    unhandled, since = seen.number("unhandled") or 0, seen.measured("rounds_since")
    error = seen.signal.title.partition(" in ")[0]
    if not unhandled:
        priority, why = 3, f"It was thrown {in_words(times)}, and the code dealt with it."
    else:
        priority = 1 if times > 2 or since == 0 else 2
        why = f"It was thrown {in_words(times)} and not dealt with"
        why += f"; {counted(int(since), 'round')} ran since without it." if since else "."
    return Verdict(
        START,
        "The error and the round it was thrown in are known.",
        priority,
        why,
        titled(*(f"Mend {plain(error, 40)} in {name}" for name in (seen.loop, seen.short))),
        f"A round of {seen.loop} that ends on an error is lost"
        + (", and its run may end with it." if unhandled else "."),
    )


def _failing(seen: Seen) -> Verdict:
    errors, calls, model = seen.number("errors") or 0, seen.number("calls") or 0, seen.word("model", 30) or "a model"
    rate = errors / calls if calls else 0.0
    return Verdict(
        ASK,
        "Calls fail for reasons that the loop's code does not show: key, quota, or the provider.",
        1 if rate >= 0.3 else 2,
        f"{errors:.0f} of {calls:.0f} calls ({share(rate)}) failed.",
        titled(*(f"Find out why calls of {name} to {model} fail" for name in (seen.loop, seen.short))),
        f"Each failed call costs {seen.loop} a step or a round.",
        f"Are the key and the quota for {model} all right, and does its provider report trouble?",
    )


def _slow(seen: Seen) -> Verdict:
    now, before = seen.number("seconds_per_token"), seen.number("seconds_per_token_before")
    times = f"{now / before:.1f} times as slowly" if now and before else "more slowly"
    model = seen.word("model", 30) or "a model"
    return Verdict(
        DROP,
        "How fast a model answers, token by token, is its provider's.",
        4,
        f"It answers {times}.",
        titled(*(f"{model} answers {times} for {name}" for name in (seen.loop, seen.short))),
        f"Nights of {seen.loop} hold fewer rounds while {model} is slow.",
    )


def _router(seen: Seen) -> Verdict:
    what = seen.word("anomaly", 30).replace("_", " ") or "something unusual"
    return Verdict(
        ASK,
        "The router does not say on which grounds.",
        3,
        f"The router said so {in_words(seen.number('times') or 1)}.",
        titled(*(f"Look at what the router reports of {name}: {what}" for name in (seen.loop, seen.short))),
        f"The model router finds the calls of {seen.loop} unusual: {what}.",
        f"The model router reports “{what}” for {seen.loop}. Is there anything to it?",
    )


def _experiment(seen: Seen) -> Verdict:
    flag, variant = seen.word("flag", 60) or "a flag", seen.word("variant", 40) or "a variant"
    shift, is_better = seen.number("difference"), seen.number("is_better") == 1
    do = f"Ship {variant} of {flag}" if is_better else f"Give up {variant} of {flag}"
    return Verdict(
        ASK,
        "Which variant goes on is for the owner of the flag to say.",
        3,
        f"The planned sample is there, and the mean score differs by {signed(shift)}.",
        titled(*(f"{do} in {name}" for name in (seen.loop, seen.short))),
        f"{variant} scores {'better' if is_better else 'worse'} than the control in {seen.loop}, and both still run.",
        f"{do} in {seen.loop}, or let it run on?",
    )


BY_SOURCE: Mapping[tuple[str, str], Callable[[Seen], Verdict]] = {
    ("loops", "deploys"): _deploy,
    ("loops", "bad_stops"): _stop,
    ("error_tracking", "exceptions"): _error,
    ("loops", "missed_runs"): _missed,
    ("loops", "silent_runs"): _silent,
    ("loops", "cost_spike"): _dear,
    ("loops", "eval_regressions"): _regressed,
    ("loops", "funnel_leak"): _leak,
    ("loops", "plateau"): _plateau,
    ("loops", "scorer_drift"): _scorer,
    ("llm_analytics", "model_errors"): _failing,
    ("loops", "cost_drift"): _drift,
    ("loops", "weak_dimension"): _weak,
    ("loops", "escalation_streak"): _escalated,
    ("llm_analytics", "model_latency"): _slow,
    ("model_router", "router_anomalies"): _router,
    ("loops", "experiment"): _experiment,
}
ORDER: Sequence[tuple[str, str]] = tuple(BY_SOURCE)
"""Of two that are as urgent, the earlier one leads."""
