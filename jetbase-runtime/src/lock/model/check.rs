//! The model for the checker: steps, properties, and the states that a waiting run can leave
//! without help.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use stateright::{Model, Property};

use crate::lock::protocol::LockAction;
use crate::session::Liveness;

use super::client::{Chance, Turn, routes};
use super::server::Fault;
use super::sessions::renewed;
use super::world::{Client, Id, ModelOutcome, Phase, Python, World};
use super::{Fence, File, Setup};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ModelStep {
    Run { run: usize, via: usize, chance: Chance },
    Serve(usize),
    Reap(usize),
    Python,
    Unlock,
    Fault(Fault),
}

impl ModelStep {
    /// Whether the step happens by itself: it is no fault, no action of the operator, and no
    /// timeout.
    fn is_progress(self) -> bool {
        match self {
            ModelStep::Run { chance, .. } => matches!(chance, Chance::Soon | Chance::Unchanged),
            ModelStep::Serve(_) | ModelStep::Reap(_) | ModelStep::Python => true,
            ModelStep::Unlock | ModelStep::Fault(_) => false,
        }
    }
}

impl Model for Setup {
    type State = World;
    type Action = ModelStep;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self)]
    }

    fn actions(&self, world: &World, steps: &mut Vec<ModelStep>) {
        for run in 0..2 {
            for via in routes(self, world, run) {
                let chances = chances(world, run);
                steps.extend(chances.into_iter().map(|chance| ModelStep::Run { run, via, chance }));
            }
        }
        for (index, session) in world.sessions.iter().enumerate() {
            if session.job.is_some() {
                steps.push(ModelStep::Serve(index));
            } else if session.orphan {
                steps.push(ModelStep::Reap(index));
            }
        }
        steps.extend([ModelStep::Python, ModelStep::Unlock]);
        if world.faults > 0 {
            let runs = (0..2)
                .flat_map(|run| [Fault::Crash(run), Fault::Partition(run), Fault::Cancel(run)]);
            let sessions = (0..world.sessions.len()).flat_map(|session| {
                [Fault::Kill(session), Fault::Statement(session), Fault::DropSessionLock(session)]
            });
            let faults = runs.chain(sessions).chain([Fault::PythonCrash, Fault::Restart]);
            steps.extend(faults.map(ModelStep::Fault));
        }
    }

    fn next_state(&self, world: &World, step: ModelStep) -> Option<World> {
        let mut after = world.clone();
        match step {
            ModelStep::Run { run, via, chance } => {
                Turn { setup: self, world: &mut after, run, via, chance }.step()
            }
            ModelStep::Serve(session) => after.serve(self, session),
            ModelStep::Reap(session) => after.reap(session),
            ModelStep::Python => after.python(self),
            ModelStep::Unlock => after.unlock(self),
            ModelStep::Fault(fault) => after.suffer(self, fault),
        }?;
        // What an ended run knows makes no difference.
        for (run, client) in after.clients.iter_mut().enumerate() {
            if matches!(client.phase, Phase::Dead | Phase::Done(_)) {
                *client = Client { list: 0, renewals: 0, session: run, ..*client };
            }
        }
        Some(after)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(SINGLE, |setup: &Setup, world: &World| {
                setup.fence != Fence::Front || world.past_fence().count() <= 1
            }),
            Property::always(OWNED, |_, world: &World| !world.marks.committed_without_row),
            Property::always(ONCE, |setup, world: &World| {
                whole(setup).all(|version| world.effects[version] <= 1)
            }),
            Property::always(RECORDED, |setup, world: &World| {
                whole(setup).all(|version| world.effects[version] == world.history[version])
            }),
            Property::always(LIVING, |_, world: &World| !world.marks.took_from_living),
            Property::always(UNKNOWN, |_, world: &World| !world.marks.took_from_unknown),
            Property::always(ALONE, |_, world: &World| world.marks.unlocked || !world.overlap()),
            Property::always(RELEASED, |_, world: &World| is_released(world)),
            Property::always(REASON, |_, world: &World| {
                (0..2).all(|run| is_lost_for_a_reason(world, run))
            }),
            Property::sometimes("both versions are applied", |_, world: &World| {
                world.pending() == 0
            }),
            Property::sometimes("a run gives up", |_, world: &World| {
                world.clients.iter().any(|client| client.phase == Phase::Done(ModelOutcome::Busy))
            }),
        ];
        if self.faults > 0 && self.runs.iter().all(|access| access.liveness.has_session_lock()) {
            let recovered = |_: &Setup, world: &World| world.marks.recovered;
            properties.push(Property::sometimes("a run takes the lock of a dead owner", recovered));
        }
        if self.renewals > 0 {
            let renewed = |_: &Setup, world: &World| {
                (0..2).any(|run| {
                    let Client { phase, session, .. } = world.clients[run];
                    phase == Phase::ReleaseSessionLock(ModelOutcome::Applied)
                        && session == renewed(run)
                })
            };
            properties
                .push(Property::sometimes("a run ends with success in a new session", renewed));
        }
        let fenced = self.runs.iter().any(|access| access.liveness == Liveness::Fenced);
        if fenced && self.fenceable() && !self.is_open(0b11) {
            let taken = |_: &Setup, world: &World| world.marks.taken_over.contains(&true);
            properties
                .push(Property::sometimes("a run takes the lock of an unresponsive owner", taken));
        }
        properties
    }
}

pub(super) const SINGLE: &str = "at most one transaction is past its fence";
pub(super) const OWNED: &str = "a transaction commits only if the row names its run";
pub(super) const ONCE: &str = "a transactional file takes effect once";
pub(super) const RECORDED: &str =
    "a transactional file takes effect if and only if the history records it";
pub(super) const LIVING: &str = "no run takes the lock of a living owner";
pub(super) const UNKNOWN: &str =
    "no run takes the lock of an owner whose liveness cannot be checked";
pub(super) const ALONE: &str =
    "a statement that commits by itself runs alone, unless an operator unlocked";
pub(super) const RELEASED: &str = "a run that ends by itself releases the lock";
pub(super) const REASON: &str = "a run loses the lock only to an operator or a takeover";

fn whole(setup: &Setup) -> impl Iterator<Item = usize> {
    (0..2).filter(|version| setup.files[*version] == File::Whole)
}

fn is_released(world: &World) -> bool {
    (0..2).all(|run| match world.clients[run].phase {
        Phase::Done(ModelOutcome::Severed) => true,
        Phase::Done(_) => world.row != Some(Id::Run(run as u8)),
        _ => true,
    })
}

fn is_lost_for_a_reason(world: &World, run: usize) -> bool {
    let marks = world.marks;
    match world.clients[run].phase {
        Phase::Release(ModelOutcome::LockLost) | Phase::Done(ModelOutcome::LockLost) => {
            marks.unlocked || marks.dropped || marks.taken_over[run]
        }
        _ => true,
    }
}

fn chances(world: &World, run: usize) -> Vec<Chance> {
    let mut chances = vec![Chance::Soon];
    match world.clients[run].phase {
        Phase::Acquire(LockAction::ReadRow, _) => {
            chances.push(Chance::Late);
            if world.row.is_some() {
                chances.push(Chance::Unchanged);
            }
        }
        Phase::InNewSession => chances.push(Chance::Late),
        Phase::AttemptHasSessionLock(_) if world.faults > 0 => chances.push(Chance::Refused),
        Phase::Working if world.clients[run].renewals > 0 => chances.push(Chance::Renewed),
        Phase::Moving => {
            chances.push(Chance::Late);
            if world.faults > 0 {
                chances.push(Chance::Refused);
            }
        }
        _ => {}
    }
    chances
}

/// Returns a state that a waiting run can never leave without help, although the run can check the
/// owner of the row.
///
/// `Property::eventually` does not see cycles, and waiting is a cycle. So this function computes
/// reachability over the whole graph.
pub(super) fn stuck(setup: &Setup) -> Option<World> {
    let (worlds, before) = explore(setup);
    (0..2).find_map(|run| {
        let goal = |world: &World| !waits(world.clients[run].phase);
        let mut reached: Vec<bool> = worlds.iter().map(goal).collect();
        let mut open: Vec<usize> = (0..worlds.len()).filter(|at| reached[*at]).collect();
        while let Some(at) = open.pop() {
            for &from in &before[at] {
                if !std::mem::replace(&mut reached[from], true) {
                    open.push(from);
                }
            }
        }
        let stuck = |at: &usize| !reached[*at] && !is_excused(setup, &worlds[*at], run);
        (0..worlds.len()).find(stuck).map(|at| worlds[at].clone())
    })
}

/// Returns all states, and for each of them the states that lead to it by progress.
fn explore(setup: &Setup) -> (Vec<World>, Vec<Vec<usize>>) {
    let mut worlds = setup.init_states();
    let mut before = vec![Vec::new()];
    let mut known = HashMap::from([(fingerprint(&worlds[0]), 0)]);
    let (mut at, mut steps) = (0, Vec::new());
    while at < worlds.len() {
        setup.actions(&worlds[at], &mut steps);
        for step in steps.drain(..) {
            let Some(after) = setup.next_state(&worlds[at], step) else { continue };
            let to = *known.entry(fingerprint(&after)).or_insert_with(|| {
                worlds.push(after);
                before.push(Vec::new());
                worlds.len() - 1
            });
            if step.is_progress() {
                before[to].push(at);
            }
        }
        at += 1;
    }
    (worlds, before)
}

/// Returns a hash that identifies a state, as in the checker: 64 bits are enough for some millions
/// of states.
fn fingerprint(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}

fn waits(phase: Phase) -> bool {
    match phase {
        Phase::Acquire(action, _) => !matches!(action, LockAction::Hold | LockAction::GiveUp),
        phase => matches!(phase, Phase::AttemptHasSessionLock(_) | Phase::AttemptFailed),
    }
}

/// Whether the owner of the row has ended, and this waiting run cannot check that.
fn is_excused(setup: &Setup, world: &World, run: usize) -> bool {
    let Some(id) = world.row else { return false };
    let (Id::Run(owner) | Id::NewSession(owner)) = id else { return world.python == Python::Dead };
    let phase = world.clients[owner as usize].phase;
    let gone = matches!(phase, Phase::Dead | Phase::Done(_) | Phase::InNewSession);
    let (theirs, ours) = (world.liveness_of(id), world.clients[run].liveness);
    let can_be_checked = theirs.has_session_lock() && theirs == ours;
    gone && !can_be_checked && !(theirs == Liveness::Fenced && setup.fenceable())
}
