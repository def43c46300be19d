"""What a person changes at the Knobs screen: flags, budgets and experiments, each after a look at the change."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from queries.rest import Unanswered
from queries.rest_experiments import DRAFT, End, Start, ended, started
from queries.rest_flags import Change, Flag, FlagMoved, budgeted, rolled_out, switched
from queries.rest_knobs import Creation
from queries.views.experiment import FEWEST, Plan
from tui import history
from tui.journal import Passing
from tui.knobdoor import Changed
from tui.knobview import EXPERIMENTS as RUNNING_PART
from tui.knobview import ExperimentRow, FlagRow, KnobState, budget_rows, flag_rows
from tui.screens.knobsections import ANNOTATIONS, EXPERIMENTS, does
from workspace.errors import LoopdeskError
from workspace.knobs import BUDGET, KILL_SWITCH

if TYPE_CHECKING:
    from tui.screens.sectioned import Sectioned
else:
    Sectioned = object

_READ_AGAIN = "Before it is sent the flag is read again; if it changed meanwhile, nothing is sent."
_FROM_NOW_ON = "Rounds that begin from now on see it; what runs keeps what it saw."


@dataclass(slots=True)
class _Kept:
    """A change that was made: `flag` is what it and later ones of this desk left, from which the way back is made."""

    change: Change
    flag: Flag
    is_over: bool = False
    """Somebody else changed the flag since: there is no way back."""

    @property
    def back(self) -> Change:
        was, change = self.change.flag, self.change
        return Change(
            self.flag,
            is_on=was.is_on if change.is_on is not None else None,
            rollout=was.rollout if change.rollout is not None else None,
            usd=was.usd if change.usd is not None else None,
        )

    @property
    def again(self) -> Change:
        return Change(self.flag, self.change.is_on, self.change.rollout, self.change.usd)


@dataclass(frozen=True, slots=True)
class _Undoing:
    """In place of a new change: this one is taken back, or done again."""

    kept: _Kept
    entry: history.Change
    said: str


class KnobDeeds(Sectioned):
    """For the Knobs screen; a verb acts on the row under the cursor."""

    state: KnobState

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[_Kept] = []

    def state_is(self, state: KnobState) -> None:
        raise NotImplementedError

    def ask_for_flags(self) -> None:
        """Flags and experiments, as they are now."""
        raise NotImplementedError

    # Switching

    def action_switch(self) -> None:
        row: Any = self.list.current
        if row is None or self.section.name == ANNOTATIONS:
            self.say(Passing("Here is nothing to switch: flags, experiments and budgets can be."))
        elif row.sending:
            self.say(Passing("A change of it is on its way already."))
        elif self.section.name == EXPERIMENTS:
            self._switch_experiment(row)
        else:
            self._switch_flag(row)

    def _switch_flag(self, row: FlagRow) -> None:
        flag = row.flag
        if flag is None:
            if row.knob is not None:
                creation = Creation(row.knob)
                sentences = (f"{creation.said}.", row.about, "It is made off: no loop changes what it does.")
                self.confirm(f"Make the flag {row.key}?", sentences, partial(self._send, row.key, creation))
            return
        wanted = switched(flag, not flag.is_on)
        title = f"Switch {row.key} {'off' if flag.is_on else 'on'}?"
        self.confirm(title, self._sentences(row, wanted), partial(self._send, row.key, wanted))

    def _sentences(self, row: FlagRow | None, change: Change) -> list[str]:
        """The exact change first, then what it means for the loops and for an experiment on the flag."""
        said = [f"{change.said}."]
        if row is not None:
            said += [f"What it is for: {row.about}"] if row.about else []
            said += _means(row, change)
        return [*said, _READ_AGAIN]

    # Editing

    def action_edit_row(self) -> None:
        row: Any = self.list.current
        flag = row.flag if isinstance(row, FlagRow) else None
        if flag is None:
            self.say(Passing("Here is nothing to edit: a flag has a rollout, and a budget its dollars."))
        elif row.sending:
            self.say(Passing("A change of it is on its way already."))
        elif flag.usd is not None:
            self._edit(row, "Dollars a night", f"{flag.usd:g}", f"{flag.key} is $", budgeted)
        elif flag.rollout is None:
            self.say(f"{flag.key} has not one condition set, so it has no single rollout: change it in PostHog.")
        else:
            self._edit(row, "Rollout in percent", f"{flag.rollout:g}", f"{flag.key} reaches ", rolled_out)

    def _edit(self, row: FlagRow, what: str, now: str, is_now: str, change: Any) -> None:
        flag = row.flag
        assert flag is not None

        def written(text: str) -> str:
            try:
                wanted = change(flag, float(text.strip().removeprefix("$").removesuffix("%")))
            except ValueError:
                return "That is no number. Write one such as 50."
            except LoopdeskError as error:
                return str(error)
            self.confirm(f"Change {row.key}?", self._sentences(row, wanted), partial(self._send, row.key, wanted))
            return ""

        unit = "" if is_now.endswith("$") else " %"
        sentences = [f"{is_now}{now}{unit} now. What is written here is shown once more before it is sent."]
        self.write(f"{what}: {row.key}", sentences, written, text=now)

    # Experiments

    def _switch_experiment(self, row: ExperimentRow) -> None:
        one = row.running
        if one is not None and one.is_live:
            self._confirm_experiment(
                "End the experiment?",
                ended(one),
                "Its rounds up to now stay as they are, and are compared by the plan as far as they go.",
            )
        elif row.flag is None:
            self.say(f"The flag {row.key} is not there any more, so nothing can be started on it.")
        elif one is not None and one.state == DRAFT and one.plan is not None:
            if problem := self._start(row.flag, one.plan):
                self.say(problem)
        else:
            self._ask_for_plan(row.flag)

    def _ask_for_plan(self, flag: Flag) -> None:
        def written(text: str) -> str:
            try:
                return self._start(flag, plan_of(flag.key, text))
            except LoopdeskError as error:
                return str(error)

        sentences = (
            f"How many scored rounds of each variant decide? At least {FEWEST}, such as 200; or the smallest "
            "difference of the score that is worth seeing, with a point, such as 0.02.",
            "It is fixed now: whoever decides while looking finds chance differences.",
        )
        self.write(f"The plan of an experiment on {flag.key}", sentences, written)

    def _start(self, flag: Flag, plan: Plan) -> str:
        """What is wrong with it; empty where it is asked about now."""
        try:
            wanted = started(flag, plan, self.state.part(RUNNING_PART).rows)
        except LoopdeskError as error:
            return str(error)
        self._confirm_experiment("Start the experiment?", wanted, f"{_FROM_NOW_ON} PostHog shows it too.")
        return ""

    def _confirm_experiment(self, title: str, wanted: Start | End, means: str) -> None:
        key = wanted.flag.key if isinstance(wanted, Start) else wanted.running.flag
        self.confirm(title, [f"{wanted.said}.", means], partial(self._send, key, wanted))

    # Sending, and what came of it

    def _send(self, key: str, change: Any, how: object = None) -> None:
        door = self.desk.knobs
        if door is None:
            return
        self.state_is(self.state.with_sending(key, change.said))
        self.desk.say(Passing(f"Sending {change.said}…"))
        door.send(self, change, how)

    def on_changed(self, message: Changed) -> None:
        change, how = message.change, message.how
        state = self.state.with_sending(_about(change), "")
        if isinstance(message.found, Flag) and isinstance(change, Change):
            state = state.with_flag(message.found)
            for kept in self._kept:
                if _is_same(kept.flag, change.flag):  # nobody else came in between
                    kept.flag = message.found
        self.state_is(state)
        if message.error is not None:
            is_lost = isinstance(message.error, Unanswered)
            self.desk.say(str(message.error) if is_lost else f"Not changed: {message.error}")
            if isinstance(how, _Undoing):
                how.kept.is_over |= isinstance(message.error, FlagMoved)
                self.desk.history.put_back(how.entry)
        elif isinstance(how, _Undoing):
            self.desk.say(f"{how.said}: {change.said}.")
        elif isinstance(change, Change) and isinstance(message.found, Flag):
            self._keep(_Kept(change, message.found))
        else:
            self.desk.say(f"Done: {change.said}.")
        self.ask_for_flags()  # what moved is read again; an experiment on the flag may be another one too

    def _keep(self, kept: _Kept) -> None:
        what = f"changed {kept.change.said}"
        entry = history.Change(
            what,
            back=lambda: self._ask_back(entry, kept, kept.back, "Take it back?", "Undone"),
            again=lambda: self._ask_back(entry, kept, kept.again, "Do it again?", "Done again"),
            still=lambda: self.is_attached and not kept.is_over,
            is_told=True,
        )
        self._kept.append(kept)
        self.desk.did(entry)
        key = self.desk.keys.key("undo", self.KEYS)
        self.desk.say(Passing(f"Done: {kept.change.said}; {key} takes it back."))

    def _ask_back(self, entry: history.Change, kept: _Kept, change: Change, title: str, said: str) -> None:
        """The opposite is a change like any other: it is looked at, and the flag is read again."""

        def answered(is_yes: bool | None) -> None:
            if is_yes:
                self._send(change.flag.key, change, _Undoing(kept, entry, said))
            else:
                self.desk.history.put_back(entry)
                self.desk.say(Passing("It stays as it is."))

        rows = (*flag_rows(self.state), *budget_rows(self.state))
        row = next((row for row in rows if row.key == change.flag.key), None)
        self.ask_yes(title, self._sentences(row, change), answered)


def _means(row: FlagRow, change: Change) -> list[str]:
    flag = change.flag
    is_on = flag.is_on if change.is_on is None else change.is_on
    rollout = flag.rollout if change.rollout is None else change.rollout
    said = [_FROM_NOW_ON]
    if row.kind in (KILL_SWITCH, BUDGET):
        said = [does(row, is_on, change.usd)]
    if is_on and rollout is not None and rollout < 100:
        said.append(f"It reaches {rollout:g} %: the others go on as without it.")
    if row.experiment is not None and row.experiment.is_live:
        then = "what it compares is another thing before and after" if is_on else "switched off, rounds see no variant"
        said.append(f"The experiment “{row.experiment.name}” runs on it: {then}.")
    return said


def plan_of(key: str, text: str) -> Plan:
    """`200` are rounds, `0.02` is a difference. Raises `LoopdeskError`."""
    written = text.strip().replace(",", "")
    if written.isdecimal():
        return Plan(key, rounds=int(written[:9]))
    try:
        return Plan(key, effect=float(written))
    except ValueError:
        raise LoopdeskError(
            "That is no number", do="Write how many rounds, such as 200, or a difference such as 0.02"
        ) from None


def _is_same(one: Flag, other: Flag) -> bool:
    return one.id == other.id and (one == other if one.version is None else one.version == other.version)


def _about(change: object) -> str:
    if isinstance(change, Creation):
        return change.knob.name
    if isinstance(change, End):
        return change.running.flag
    assert isinstance(change, Change | Start)
    return change.flag.key
