"""A loop with OpenAI's SDK: propose a better text, criticise it, score it, keep it or put the old one back.

The text is slogan.txt of the current folder. To run it:

    pip install posthog python-ulid openai
    export OPENAI_API_KEY=... AUTORESEARCH_PROJECT=slogan POSTHOG_HOST=... POSTHOG_API_KEY=...
    python examples/openai_loop.py
"""

from __future__ import annotations

import sys
from pathlib import Path

from posthog.ai.openai import OpenAI

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a loop of your own has its copy beside it
from observability import posthog_client as ph

MODEL = "gpt-5-mini"
SLOGAN = Path("slogan.txt")


def ask(client: OpenAI, phase: str, prompt: str) -> str:
    """One call: `$ai_generation` under the round, with its phase, tokens, latency and error."""
    with ph.model_call(phase=phase, task_type="slogan"):
        return client.responses.create(model=MODEL, input=prompt).output_text


def propose(client: OpenAI, old: str) -> str:
    """A stream is told when it ends, so it is read to its end inside."""
    prompt = f"Write a better slogan for a bicycle shop than this one. Answer with the slogan alone.\n\n{old}"
    with ph.model_call(phase="proposal", task_type="slogan"):
        stream = client.responses.create(model=MODEL, input=prompt, stream=True)
        return "".join(event.delta for event in stream if event.type == "response.output_text.delta")


def play_round(client: OpenAI, best: float, number: int) -> float:
    """The best score after this round."""
    old = SLOGAN.read_text(encoding="utf-8")
    with ph.round_(agent="writer"):
        ph.round_started(model=MODEL, baseline_score=best, n_prior_rounds=number)
        new = propose(client, old)
        SLOGAN.write_text(new, encoding="utf-8")
        ph.proposal_applied(target=SLOGAN.name, diff_bytes=len(new.encode()))
        ph.step_reflection(ask(client, "critique", f"What is wrong with this slogan of a bicycle shop?\n\n{new}"))
        score = ph.as_number(ask(client, "score", f"Rate this slogan with a number from 0 to 1, only that.\n\n{new}"))
        if score is not None:
            ph.round_scored(score)
            if score > best:
                ph.round_kept(delta=score - best, new_best=True)
                return score
        SLOGAN.write_text(old, encoding="utf-8")
        ph.round_reverted(failure_mode="no_score" if score is None else "worse")
        return best


def main(rounds: int = 3) -> None:
    # The wrapper needs only the client that sends; its own retries are one call.
    client = OpenAI(posthog_client=ph.default_client().sdk)
    SLOGAN.write_text("We sell bicycles.", encoding="utf-8")
    with ph.run(agent="writer"):
        best = 0.0
        for number in range(rounds):
            best = play_round(client, best, number)
        ph.stop_triggered(reason="max_rounds", rounds_completed=rounds, final_best_score=best)


if __name__ == "__main__":
    main()
