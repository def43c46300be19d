"""What a proposal needs next, whatever became of its jobs, its report and its commands meanwhile: no agent, no jail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.babysitting import Said, Seen, observed
from engine.decision import Refused
from engine.effects import Log, SaveJob, SaveProposal, SaveReport
from engine.fix_brief import begun_before
from engine.forges.protocol import Check, Comment, PullRequest
from engine.judge import Unavailable
from engine.model import Command, Job, Proposal, Report
from engine.proposal_commands import withdrawn
from engine.proposals import followed, given_up, steps, wanted
from engine.states import SHOWN, IllegalTransition
from engine.store import Store
from tests.conftest import NOW
from tests.engines import READY, Desk, answers, signal

SHA, OTHER, BLOB = "a" * 40, "b" * 40, "c" * 64


async def held(job: Job) -> Mapping[str, object]:
    raise Unavailable("Nobody is there")


def built(job: Job, **more: object) -> dict[str, object]:
    change = {"sha": SHA, "base_sha": OTHER, "base": "main", "bundle": BLOB, "diff": BLOB, "files": 1, "added": 1}
    change |= {"removed": 0, "title": "Mend it", "why": "", "how": "", "untested": ""}
    return {"change": {**change, **more}, "repository": "code", "branch": f"loopdesk/fix-{job.proposal_id.lower()}"}


async def fix(job: Job) -> Mapping[str, object]:
    return built(job)


async def waits_for_push(job: Job) -> Mapping[str, object]:
    return {"guard": {"head": SHA, "passed": True, "sentence": "Your push is needed."}, "waits": True}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    one = Desk(tmp_path / "w", {**answers(READY), "fix": held, "deliver": held})
    one.comes(signal("crash"))
    one.turn()
    yield one
    one.close()


def proposal_of(desk: Desk) -> Proposal:
    found = desk.inbox.report(desk.report().id)
    assert found is not None and found.listed.proposal is not None
    return found.listed.proposal


def starts(desk: Desk) -> Proposal:
    desk.applied("approve", desk.report(), expect="start")
    return proposal_of(desk)


def live(desk: Desk) -> list[Job]:
    return [job for job in desk.inbox.jobs() if job.is_live and job.proposal_id]


def is_now(desk: Desk, **changes: Any) -> Proposal:
    """As if its proposal had come that far."""
    after = replace(proposal_of(desk), **changes)
    store = Store.open(desk.workspace.inbox_db)
    with store.transaction("reconcile"):
        store.connection.execute("UPDATE proposals SET state = ? WHERE id = ?", (after.state, after.id))
    with store.transaction("reconcile"):
        store.write([SaveProposal(after)], NOW)
    store.close()
    return after


class TestAJobThatWasCancelled:
    """It is wanted again under the same name: that is one more attempt, and never the end of the engine."""

    def test_a_report_that_is_snoozed_while_its_fix_is_built(self, desk: Desk):
        starts(desk)
        assert desk.applied("snooze", desk.report(), signals=5).applied_at
        (job,) = live(desk)
        assert job.kind == "fix" and job.attempt > 2  # held, cancelled, and again
        desk.handlers["fix"] = fix
        desk.later(minutes=20)
        desk.turn()
        assert proposal_of(desk).is_built

    def test_a_push_that_is_approved_taken_back_and_approved_again(self, desk: Desk):
        desk.handlers |= {"fix": fix, "deliver": waits_for_push}
        assert starts(desk).waits_for == "push"
        desk.handlers["deliver"] = held
        for _ in range(2):
            command = desk.inbox.command(
                "approve", desk.report().id, {"expect": "push"}, now=desk.now, seen_sha=SHA, seen_version=None
            )
            desk.inbox.submit(command)
            desk.later(seconds=11)
            desk.turn()
            assert proposal_of(desk).state == "building" and live(desk)
            desk.inbox.undo(command.id, desk.now)
            desk.turn()
            assert proposal_of(desk).waits_for == "push" and not live(desk)

    def test_one_that_was_done_and_is_wanted_again_has_a_rest(self):
        proposal = Proposal("P1", "R1", NOW, NOW)
        need = wanted(proposal)
        assert need is not None
        job = Job(need.key, need.kind, "R1", NOW, NOW, NOW, proposal_id="P1", state="applied", failures=2)
        ((_, (again,)),) = steps({"P1": proposal}, [job], "me", NOW)
        assert isinstance(again, SaveJob)
        assert (again.job.attempt, again.job.failures) == (2, 0) and again.job.not_before > NOW


def test_a_row_that_cannot_be_written_does_not_stop_the_others(desk: Desk, capsys: pytest.CaptureFixture[str]):
    starts(desk)
    desk.comes(signal("stall", project="autoresearch"))
    real = Store._save_job

    def broken(self: Store, job: Job, logged: dict[str, str]) -> None:
        if job.report_id != desk.reports()[0].id or job.state != "intended":
            return real(self, job, logged)
        raise IllegalTransition("job", job.id, "cancelled", "intended")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "_save_job", broken)
        is_now(desk, state="queued", builds=7)
        desk.turn()
    assert [report.status for report in desk.reports()] == ["ready", "ready"]
    assert "cannot become" in capsys.readouterr().err
    desk.turn()
    assert [job.brief["build"] for job in live(desk)] == [7]


class TestTheNightsProposals:
    """Several that are started together are begun one after the other, up to the cap, and never hold each other."""

    def job(self, id: str, state: str, **more: Any) -> Job:
        return replace(
            Job(f"fix:{id}:1", "fix", "R1", NOW, NOW, NOW, proposal_id=id, state=state, brief={"build": 1}), **more
        )

    def test_those_that_wait_or_are_held_do_not_count(self):
        others = [self.job("B", "intended"), self.job("C", "queued"), self.job("D", "failed", error="is held")]
        assert begun_before(others, self.job("A", "running"), NOW) == set()

    def test_of_two_that_run_exactly_one_counts_the_other(self):
        one, other = self.job("A", "running"), self.job("B", "running")
        counted = [begun_before([one, other], mine, NOW) for mine in (one, other)]
        assert sorted(map(len, counted)) == [0, 1]

    def test_what_was_begun_counts_however_it_ended(self):
        earlier = NOW - timedelta(minutes=1)
        others = [
            self.job("B", "running", changed_at=earlier),
            self.job("C", "applied"),
            self.job("D", "failed", failures=1),
            self.job("E", "cancelled", heartbeat=NOW),
            self.job("F", "applied", created_at=NOW - timedelta(days=1)),
            self.job("G", "applied", brief={"build": 2}),
        ]
        assert begun_before(others, self.job("A", "running"), NOW) == {"B", "C", "D", "E"}


class TestWhatFollowsForTheReport:
    @pytest.mark.parametrize("status", [one for one in SHOWN if one != "deleted"])
    @pytest.mark.parametrize("state", ["merged", "closed", "reverted"])
    def test_in_whatever_status_it_is(self, status: str, state: str):
        report = Report("R1", NOW, NOW, status)
        proposal = Proposal("P1", "R1", NOW, NOW, "green", reverts="P0" if state == "reverted" else "")
        after, line = proposal.moved("closed" if state == "closed" else "merged", by="engine", reason="so", now=NOW)
        effects = followed(report, (Log(line), SaveProposal(after)), NOW)
        wanted = {"merged": "resolved", "closed": "suppressed", "reverted": "pending_input"}[state]
        found = [one.report.status for one in effects if isinstance(one, SaveReport)]
        assert (found or [status]) == [wanted]

    @pytest.mark.parametrize("status", ["potential", "candidate", "in_progress"])
    def test_what_it_was_before_and_its_sleep(self, status: str):
        report = Report("R1", NOW, NOW, status, status_before="ready", snoozed_until=NOW + timedelta(days=1))
        after, line = Proposal("P1", "R1", NOW, NOW, "green").moved("closed", by="engine", reason="so", now=NOW)
        (saved,) = [
            one for one in followed(report, (Log(line), SaveProposal(after)), NOW) if isinstance(one, SaveReport)
        ]
        assert saved.report.status_before == "ready" and not saved.report.is_snoozed


class TestWhatStandsWhileNothingChecksIt:
    HEAD: Mapping[str, Any] = {"head_sha": SHA, "number": 1, "base": "main", "guard": {"head": SHA, "passed": True}}
    PENDING = Check("ci", "pending")

    def look(self, proposal: Proposal, *checks: Check, **more: Any) -> Proposal:
        pull = PullRequest(1, "open", "loopdesk/fix-p1", "main", SHA, "Mend it", "", mergeable=True)
        effects = observed(proposal, Seen(pull, checks, **more), NOW + timedelta(minutes=9))
        return next((one.proposal for one in reversed(effects) if isinstance(one, SaveProposal)), proposal)

    def test_checks_that_could_not_be_run_wait_for_the_second_key_and_stay_so(self):
        checks = {"sha": SHA, "standing": "none", "checks": [], "to_run": True}
        proposal = Proposal("P1", "R1", NOW, NOW, "open", checks=checks, **self.HEAD)
        need = wanted(proposal)
        assert need is not None and need.kind == "checks"
        effects = given_up(proposal, need, "no jail", NOW)
        (saved,) = [one.proposal for one in effects if isinstance(one, SaveProposal)]
        assert self.look(saved, self.PENDING) == saved and saved.waits_for == "second_key"

    def test_what_was_in_the_way_before_its_checks_ran_is_forgotten(self):
        checks = {"sha": SHA, "standing": "none", "checks": [], "to_run": True}
        proposal = Proposal("P1", "R1", NOW, NOW, "waiting_for_you", waits_for="hand", checks=checks, **self.HEAD)
        after = self.look(proposal, self.PENDING)
        need = wanted(after)
        assert after.state == "open" and need is not None and need.kind == "checks"

    def test_a_comment_keeps_nothing_from_being_merged_that_is_never_mended_by_itself(self):
        comment = Comment("c1", "comment", "ada", "OWNER", "Thanks!", NOW)
        proposal = Proposal("P1", "R1", NOW, NOW, "open", consent="never", **self.HEAD)
        after = self.look(proposal, Check("ci", "passed"), said=(Said(comment, is_safe=True),))
        assert self.look(after, Check("ci", "passed")).state == "green"
        green = replace(after, state="green")
        assert self.look(green, Check("ci", "failed")).state == "red"


class TestAnApprovalThatIsTakenBack:
    def undo(self, expect: str, proposal: Proposal, id: str = "C1") -> Any:
        undoes = Command(id, "approve", "R1", NOW, NOW, {"expect": expect})
        return withdrawn(
            Report("R1", NOW, NOW, "ready"), proposal, undoes, Command("C9", "withdraw", "R1", NOW, NOW), NOW
        )

    def test_of_an_earlier_merge_does_not_take_back_the_revert(self):
        back = Proposal("P2", "R1", NOW, NOW, "merged", reverts="P1", merge_sha=SHA, approved_by="C2")
        with pytest.raises(Refused):
            self.undo("merge", back)
        assert self.undo("merge", back, "C2").effects

    def test_of_another_round_leaves_what_stands(self):
        building = Proposal("P1", "R1", NOW, NOW, "building", number=1, head_sha=SHA, approved_by="C1", builds=2)
        (_, saved) = self.undo("start", building).effects
        assert (saved.proposal.state, saved.proposal.waits_for) == ("waiting_for_you", "consent")
        started = replace(building, id="C1", number=None)
        assert self.undo("start", started).effects[1].proposal.state == "closed"
