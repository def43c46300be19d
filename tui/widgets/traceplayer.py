"""Playing a trace: which row it has come to, how fast it goes. A plain value; the screen owns the clock."""

from __future__ import annotations

from dataclasses import dataclass

from queries.views.trace.replay import SPEEDS, Replay


@dataclass(slots=True)
class Player:
    """`clock_s` is how much of the shortened round was played."""

    speed: float = 1.0
    is_playing: bool = False
    clock_s: float = 0.0

    def begin(self, replay: Replay, row: int) -> None:
        """From a row on; from the beginning where it is the last one."""
        self.clock_s = replay.clock_of(row)
        if self.clock_s >= replay.length_s:
            self.clock_s = 0.0
        self.is_playing = True

    def tick(self, replay: Replay, seconds: float) -> int:
        """The row that is reached after so many seconds more; at the end it stops."""
        self.clock_s = min(replay.length_s, self.clock_s + seconds * self.speed)
        if self.clock_s >= replay.length_s:
            self.is_playing = False
        return replay.reached(self.clock_s)

    def change_speed(self, steps: int) -> None:
        place = SPEEDS.index(self.speed) + steps
        self.speed = SPEEDS[max(0, min(place, len(SPEEDS) - 1))]

    @property
    def said(self) -> str:
        return f"{'playing' if self.is_playing else 'paused'} ×{self.speed:g}"
