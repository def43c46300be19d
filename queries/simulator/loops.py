"""The three loops as the simulator knows them: their clients, models, tools, habits and words. All made up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

HAIKU, SONNET, OPUS = "claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-1"
PRICES = {HAIKU: (1.0, 5.0), SONNET: (3.0, 15.0), OPUS: (15.0, 75.0)}  # USD for a million tokens in, out


@dataclass(frozen=True, slots=True)
class Client:
    name: str
    first_score: float
    dims: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tool:
    """`latency_s` is the usual one; TARGET in the arguments stands for what the round changes."""

    name: str
    arguments: str
    latency_s: float


@dataclass(frozen=True, slots=True)
class Trial:
    """The tool call that tries a change out. It takes what is left of the round."""

    name: str
    arguments: str
    timeout_s: int


@dataclass(frozen=True, slots=True)
class Failure:
    """How a round ends without a score. `share` is of the started rounds, 0..1; `error` is what the trial says."""

    mode: str
    share: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class Loop:
    """One project.

    `rounds` are those of one client in one night. A kept round closes `stride` of the gap between the best score and
    `limit`; a reverted one falls behind the best by about `fall`. A loop that does not carry over measures afresh each
    night (its client's live data has moved), the others go on from the best branch.
    """

    project: str
    goal: Literal["max", "min"]
    clients: tuple[Client, ...]
    rounds: int
    limit: float
    stride: float
    fall: float
    digits: int
    carries_over: bool
    planner: str
    coder: str
    bigger: str
    judge: str
    unproposed: Failure
    unapplied: Failure
    unscored: Failure
    usual_stop: str  # the reason a night normally ends with
    suite: str
    scorer_version: str
    trial: Trial
    tools: tuple[Tool, ...]
    targets: tuple[str, ...]
    brief: str
    ideas: tuple[str, ...]


AUTOAGENT = Loop(
    project="autoagent",
    goal="max",
    clients=(
        Client(
            "internal",
            0.7420,
            ("task_success", "tool_accuracy", "instruction_following", "groundedness", "brevity"),
        ),
    ),
    rounds=80,
    limit=0.870,
    stride=0.022,
    fall=0.006,
    digits=4,
    carries_over=True,
    planner=SONNET,
    coder=HAIKU,
    bigger=SONNET,
    judge=HAIKU,
    unproposed=Failure("no_proposal", 0.04),
    unapplied=Failure("patch_conflict", 0.05),
    unscored=Failure("eval_error", 0.03, "exit code 137: the task sandbox was killed"),
    usual_stop="max_rounds",
    suite="harness-tasks",
    scorer_version="tasks-3.2",
    trial=Trial("run_tasks", '{"suite": "harness-tasks", "sample": 40}', timeout_s=600),
    tools=(
        Tool("read_file", '{"path": "TARGET"}', 0.1),
        Tool("list_failures", '{"last": 20}', 1.2),
        Tool("search_code", '{"pattern": "max_turns"}', 0.4),
        Tool("show_transcript", '{"task": "refund-letter"}', 0.8),
    ),
    targets=("prompts/system.md", "harness/retry.py", "harness/memory.py", "tools/search.py", "tools/edit.py"),
    brief="You improve an agent's harness. One small change per round; it is kept only if the tasks score better.",
    ideas=(
        "Say in the system prompt to read the whole task before the first tool call",
        "Keep the last {n} tool results in full and summarise the older ones",
        "Retry a failed edit once, with {n} more lines of context",
        "Ask for the shortest answer that still names its source",
        "Stop after {n} turns without a new finding",
        "Show the agent its own plan again every {n} turns",
        "Cap search results at {n} and rank exact matches first",
        "Refuse a tool call whose arguments repeat the one before",
        "Move the tool descriptions behind the examples",
        "Let the agent mark a step as done before it starts the next",
    ),
)

AUTORESEARCH = Loop(
    project="autoresearch",
    goal="min",
    clients=(
        Client("internal", 0.997900, ("stability", "throughput", "memory_headroom", "early_loss", "gradient_health")),
    ),
    rounds=90,
    limit=0.955,
    stride=0.012,
    fall=0.0010,
    digits=6,
    carries_over=True,
    planner=SONNET,
    coder=SONNET,
    bigger=OPUS,
    judge=HAIKU,
    unproposed=Failure("no_proposal", 0.03),
    unapplied=Failure("patch_conflict", 0.03),
    unscored=Failure("crash", 0.05, "exit code 1: loss is not finite"),
    usual_stop="time_limit",
    suite="validation-shard",
    scorer_version="bpb-1.4",
    trial=Trial("train", '{"shard": "val-00"}', timeout_s=420),
    tools=(
        Tool("read_file", '{"path": "TARGET"}', 0.1),
        Tool("read_log", '{"lines": 200}', 0.2),
        Tool("gpu_memory", "{}", 0.6),
        Tool("past_trials", '{"about": "learning rate"}', 0.9),
    ),
    targets=("train.py", "model/attention.py", "model/embedding.py", "optim/schedule.py"),
    brief="You tune a small language model's training. One change per round; kept if validation bits per byte fall.",
    ideas=(
        "Raise the embedding learning rate by {n} %",
        "Warm the momentum up over {n}00 steps",
        "Let the learning rate fall to {n} % instead of to zero",
        "Shorten the attention window of every second layer",
        "Put weight decay of 0.0{n} on the output head",
        "Raise the rotary base frequency",
        "Start the residual gates at 0.{n}",
        "Use {n} % more of the steps for the cool-down",
        "Scale the value embeddings before they are added",
        "Clip gradients at 1.{n}",
    ),
)

GTM_AUTORESEARCH = Loop(
    project="gtm-autoresearch",
    goal="max",
    clients=(
        Client(
            "moss-cosmetics",
            0.802,
            (
                "tag_coverage",
                "consent_settings",
                "naming",
                "trigger_quality",
                "deduplication",
                "variable_hygiene",
                "folder_order",
            ),
        ),
        Client(
            "northpine-outdoor",
            0.786,
            ("subject_clarity", "segment_fit", "offer_match", "send_timing", "brand_voice", "deliverability"),
        ),
        Client(
            "kiln-and-oak",
            0.811,
            (
                "audience_fit",
                "keyword_match",
                "creative_variety",
                "budget_split",
                "landing_match",
                "feed_quality",
                "negative_keywords",
                "link_tagging",
                "conversion_tracking",
            ),
        ),
    ),
    rounds=38,
    limit=0.925,
    stride=0.18,
    fall=0.008,
    digits=4,
    carries_over=False,
    planner=SONNET,
    coder=SONNET,
    bigger=OPUS,
    judge=HAIKU,
    unproposed=Failure("json_fail", 0.05),
    unapplied=Failure("val_fail", 0.04),
    unscored=Failure("eval_error", 0.02, "502 from the review service"),
    usual_stop="max_rounds",
    suite="container-review",
    scorer_version="review-2.0",
    trial=Trial("score_container", '{"snapshot": "latest"}', timeout_s=300),
    tools=(
        Tool("fetch_snapshot", '{"source": "ads"}', 2.4),
        Tool("read_template", '{"part": "TARGET"}', 0.1),
        Tool("diff_container", '{"against": "best"}', 0.5),
        Tool("list_issues", '{"top": 10}', 0.3),
    ),
    targets=("template.tags", "template.triggers", "template.variables", "template.folders", "campaign.plan"),
    brief="You improve a client's go-to-market template. One change per round, valid JSON only.",
    ideas=(
        "Merge the {n} triggers that fire on the same page view",
        "Name every tag after its channel and its event",
        "Ask for consent before the {n} marketing tags fire",
        "Split the audience that is {n} times larger than the others",
        "Drop {n} variables that nothing reads",
        "Match the offer on the landing page to the one in the message",
        "Move spend from the {n} weakest placements to the best",
        "Send the purchase event once, from the server",
        "Use the same link tags in all {n} campaigns",
        "Put the orphaned tags into folders by owner",
    ),
)

LOOPS = (AUTOAGENT, AUTORESEARCH, GTM_AUTORESEARCH)
