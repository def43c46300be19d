"""A made-up weekend of the three loops, as wire events in the order they arrive: the demo's and the tests' input.

Pure: the same seed, hours and number of nights give the same events. Every event says `simulated: true`.
"""

from queries.simulator.stories import Story, stories
from queries.simulator.weekend import Night, night_spans, simulate

__all__ = ["Night", "Story", "night_spans", "simulate", "stories"]
