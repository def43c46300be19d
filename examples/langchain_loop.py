"""A loop with LangChain: propose a better text, criticise it, score it, keep it or put the old one back.

The text is slogan.txt of the current folder. To run it:

    pip install posthog python-ulid langchain-openai
    export OPENAI_API_KEY=... AUTORESEARCH_PROJECT=slogan POSTHOG_HOST=... POSTHOG_API_KEY=...
    python examples/langchain_loop.py
"""

from __future__ import annotations

import sys
from pathlib import Path

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableConfig
from langchain_openai import ChatOpenAI
from posthog.ai.langchain import CallbackHandler

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a loop of your own has its copy beside it
from observability import posthog_client as ph

MODEL = "gpt-4.1-mini"
SLOGAN = Path("slogan.txt")


def watched() -> RunnableConfig:
    """To be handed to what is called: a handler of a model alone sees nothing of the chain around it."""
    return {"callbacks": [CallbackHandler(ph.default_client().sdk)]}


def ask(model: ChatOpenAI, phase: str, prompt: str) -> str:
    """One call: `$ai_generation` under the round, with its phase, tokens, latency and error."""
    with ph.model_call(phase=phase, task_type="slogan"):
        return model.invoke(prompt, watched()).text


def propose(model: ChatOpenAI, old: str) -> str:
    """A chain is a span of the round, and its model calls stand below it."""
    prompt = ChatPromptTemplate.from_messages(
        [("system", "Answer with the slogan alone."), ("user", "A better slogan for a bicycle shop than {old}?")]
    )
    chain = prompt | model | StrOutputParser()
    with ph.model_call(phase="proposal", task_type="slogan"):
        return "".join(chain.stream({"old": old}, watched()))


def play_round(model: ChatOpenAI, best: float, number: int) -> float:
    """The best score after this round."""
    old = SLOGAN.read_text(encoding="utf-8")
    with ph.round_(agent="writer"):
        ph.round_started(model=MODEL, baseline_score=best, n_prior_rounds=number)
        new = propose(model, old)
        SLOGAN.write_text(new, encoding="utf-8")
        ph.proposal_applied(target=SLOGAN.name, diff_bytes=len(new.encode()))
        ph.step_reflection(ask(model, "critique", f"What is wrong with this slogan of a bicycle shop?\n\n{new}"))
        score = ph.as_number(ask(model, "score", f"Rate this slogan with a number from 0 to 1, only that.\n\n{new}"))
        if score is not None:
            ph.round_scored(score)
            if score > best:
                ph.round_kept(delta=score - best, new_best=True)
                return score
        SLOGAN.write_text(old, encoding="utf-8")
        ph.round_reverted(failure_mode="no_score" if score is None else "worse")
        return best


def main(rounds: int = 3) -> None:
    # Without `stream_usage` a stream tells no tokens, and so no cost.
    model = ChatOpenAI(model=MODEL, stream_usage=True)
    SLOGAN.write_text("We sell bicycles.", encoding="utf-8")
    with ph.run(agent="writer"):
        best = 0.0
        for number in range(rounds):
            best = play_round(model, best, number)
        ph.stop_triggered(reason="max_rounds", rounds_completed=rounds, final_best_score=best)


if __name__ == "__main__":
    main()
