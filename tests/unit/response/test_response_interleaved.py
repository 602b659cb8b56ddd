"""Purge, hold and undo while everybody else goes on: a toy of the queue, in which others act between any two steps."""

import itertools
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from bmtop.checked import QueueId
from bmtop.incident.selection import Filter
from bmtop.response.copies import Copies
from bmtop.response.gate import Gate
from bmtop.response.hold import hold_or_release
from bmtop.response.journal import Journal
from bmtop.response.plan import MessageAction, Outcome, Plan, Progress, no_progress
from bmtop.response.purge import purge
from bmtop.response.undo import undo
from bmtop.response.unfinished import finish, leave
from tests.unit.response.toyqueue import QUEUES, ToyPostfix, World

ALICE = "alice@example.com"


@contextmanager
def scene(seed: int) -> Iterator[tuple[World, Plan, Copies, Gate, dict[QueueId, bytes]]]:
    """A queue of alice's and others' messages, and a plan for hers; then time passes, and everybody acts."""
    with tempfile.TemporaryDirectory() as folder:
        chance = random.Random(seed)
        postfix = ToyPostfix(Path(folder) / "spool")
        world = World(postfix, chance)
        made = [
            world.put(chance.choice(QUEUES), f"ABCDE{number:05X}", chance.choice((ALICE, "carol@example.com", None)))
            for number in range(chance.randint(1, 12))
        ]
        chosen = tuple(m for m in made if m.login == ALICE)
        meant = {m.id: found[1].read_bytes() for m in chosen if (found := postfix.find(m.id))}
        postfix.meanwhile = world.act
        for _ in range(chance.choice((0, 0, 10))):
            world.act()
        state = Path(folder) / "state"
        gate = Gate(state, Journal(state), read_only=False)
        yield (
            world,
            Plan("purge", Filter(login=ALICE), chosen),
            Copies(postfix.queue_directory, 86400, 10**9),
            gate,
            meant,
        )


def contents(postfix: ToyPostfix) -> dict[str, bytes]:
    return {id: postfix.place(queue, id).read_bytes() for id, queue in postfix.ids().items()}


def links(postfix: ToyPostfix) -> set[int]:
    return {postfix.place(queue, id).stat().st_nlink for id, queue in postfix.ids().items()}


@settings(max_examples=250, deadline=None)
@given(st.integers(0, 10**9))
def test_a_purge_deletes_exactly_what_was_meant_and_undo_gives_every_byte_back(seed: int) -> None:
    with scene(seed) as (world, plan, copies, gate, meant):
        postfix, name = world.postfix, copies.new_name()
        outcome = purge(
            postfix,
            copies,
            plan,
            lambda *_: world.act(),
            gate.action("purge", ALICE, messages=plan.messages),
            undo=name,
        )
        # Exactly what it says it deleted, and of what was meant alone.
        assert sorted(postfix.deleted) == sorted(meant[id] for id in outcome.done)
        # Each message is accounted for, once.
        assert set(outcome.done) | set(outcome.left_out) == set(plan.ids)
        assert not set(outcome.done) & set(outcome.left_out)
        # What is left out has left by itself, is another one, or is where it was: it is not lost.
        now = contents(postfix)
        for id in outcome.left_out:
            assert meant[id] in world.others or now.get(id) == meant[id]
        # Nothing is pinned by a second link.
        assert links(postfix) <= {1}
        postfix.meanwhile = lambda: None
        if outcome.undo is None:
            assert not copies.listed()
            return
        restored = undo(postfix, copies, name, no_progress, gate.action("undo", name, undo=name))
        assert (set(restored.ids), dict(restored.failed), dict(restored.renamed)) == (set(outcome.done), {}, {})
        assert contents(postfix) == now | {id: meant[id] for id in outcome.done}
        assert all(postfix.ids()[id] == "hold" for id in outcome.done)
        assert links(postfix) <= {1}
        assert not copies.listed()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from(["hold", "release"]))
def test_hold_and_release_move_only_what_was_meant(seed: int, action: MessageAction) -> None:
    with scene(seed) as (world, plan, _, gate, _):
        postfix = world.postfix
        plan = Plan(action, plan.filter, plan.messages)
        before = contents(postfix)
        outcome = hold_or_release(
            postfix, plan, lambda *_: world.act(), gate.action(action, ALICE, messages=plan.messages)
        )
        assert not postfix.deleted
        assert set(outcome.done) | set(outcome.left_out) == set(plan.ids)
        assert not set(outcome.done) & set(outcome.left_out)
        # Nothing is lost, and nothing changed, but by others.
        now = set(contents(postfix).values())
        assert all(content in now or content in world.others for content in before.values())


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10**9))
def test_without_an_undo_copy_a_purge_is_as_exact(seed: int) -> None:
    with scene(seed) as (world, plan, copies, gate, meant):
        postfix = world.postfix
        # Nothing pins a message here, so only the hold queue keeps it: nobody else takes it from there.
        calm = random.Random(seed)

        def act() -> None:
            if calm.random() < 0.2:
                active = sorted(id for id, queue in postfix.ids().items() if queue in ("active", "incoming"))
                if active:
                    id = calm.choice(active)
                    world.leave(postfix.place(postfix.ids()[id], id))

        postfix.meanwhile = act
        outcome = purge(
            postfix, copies, plan, lambda *_: act(), gate.action("purge", ALICE, messages=plan.messages), undo=None
        )
        assert sorted(postfix.deleted) == sorted(meant[id] for id in outcome.done)
        assert set(outcome.done) | set(outcome.left_out) == set(plan.ids)
        assert outcome.undo is None
        assert not copies.listed()


def killed_at(when: int, postfix: ToyPostfix, act: Callable[[Progress], object]) -> bool:
    """Run `act` in a process that ends at its step number `when` as by kill -9; False where it had none so far."""
    child = os.fork()
    if child == 0:
        steps = itertools.count(1)

        def step(*_: object) -> None:
            if next(steps) == when:
                os._exit(9)

        postfix.meanwhile = step
        act(step)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 30), st.sampled_from(["finish", "undo", "leave"]))
def test_what_was_cut_off_anywhere_can_be_finished_taken_back_or_left(seed: int, when: int, then: str) -> None:
    with scene(seed) as (world, plan, copies, gate, meant):
        postfix, name = world.postfix, copies.new_name()
        postfix.meanwhile = lambda: None
        before = contents(postfix)
        meant = {id: content for id, content in meant.items() if before.get(id) == content}
        action = gate.action("purge", ALICE, messages=plan.messages, undo=name)
        if not plan.messages or not killed_at(
            when, postfix, lambda step: purge(postfix, copies, plan, step, action, undo=name)
        ):
            return
        (entry,) = gate.unfinished()
        assert (entry.action, entry.target, entry.undo) == ("purge", ALICE, name)
        if then == "finish":
            outcome = finish(postfix, gate, copies, entry, no_progress)
            assert isinstance(outcome, Outcome)
            assert set(outcome.done) == set(meant)
            assert contents(postfix) == {id: content for id, content in before.items() if id not in meant}
        elif then == "leave":
            now = contents(postfix)
            leave(postfix, gate, copies, entry)
            assert contents(postfix) == now
        assert links(postfix) <= ({1} if then != "undo" else {1, 2})
        if copies.listed():
            action = gate.resume(entry, "") if then == "undo" else gate.action("undo", name, undo=name)
            undo(postfix, copies, name, no_progress, action)
        elif then == "undo":
            leave(postfix, gate, copies, entry)
        assert contents(postfix) == before
        assert links(postfix) <= {1}
        assert not gate.unfinished()
        assert not copies.listed()


def test_the_journal_knows_of_an_action_before_anything_is_touched() -> None:
    with scene(7) as (world, plan, copies, gate, _):
        before = contents(world.postfix)

        def look(*_: object) -> None:
            if contents(world.postfix) != before:
                # Another one looks while the lock is held, and after a kill.
                assert [e.ids for e in Journal(world.postfix.queue_directory.parent / "state").unfinished()] == [
                    plan.ids
                ]

        world.postfix.meanwhile = look
        action = gate.action("purge", ALICE, messages=plan.messages)
        purge(world.postfix, copies, plan, look, action, undo=None)
        assert contents(world.postfix) != before
