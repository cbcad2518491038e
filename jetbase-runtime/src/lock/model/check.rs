//! The model for the checker: steps, properties, and the states that a waiting run can leave
//! without help.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use stateright::{Model, Property};

use crate::lock::Liveness;
use crate::lock::protocol::Action;

use super::client::{Chance, Turn, routes};
use super::server::Fault;
use super::sessions::renewed;
use super::world::{Client, Id, Outcome, Phase, Python, World};
use super::{Fence, File, Setup};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    Run { run: usize, via: usize, chance: Chance },
    Serve(usize),
    Reap(usize),
    Python,
    Unlock,
    Fault(Fault),
}

impl Step {
    /// Whether the step happens by itself: it is no fault, no action of the operator, and no
    /// timeout.
    fn is_progress(self) -> bool {
        match self {
            Step::Run { chance, .. } => matches!(chance, Chance::Soon | Chance::Silent),
            Step::Serve(_) | Step::Reap(_) | Step::Python => true,
            Step::Unlock | Step::Fault(_) => false,
        }
    }
}

impl Model for Setup {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self)]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        for run in 0..2 {
            for via in routes(self, world, run) {
                let chances = chances(world, run);
                steps.extend(chances.into_iter().map(|chance| Step::Run { run, via, chance }));
            }
        }
        for (index, session) in world.sessions.iter().enumerate() {
            if session.job.is_some() {
                steps.push(Step::Serve(index));
            } else if session.orphan {
                steps.push(Step::Reap(index));
            }
        }
        steps.extend([Step::Python, Step::Unlock]);
        if world.faults > 0 {
            let runs = (0..2)
                .flat_map(|run| [Fault::Crash(run), Fault::Partition(run), Fault::Cancel(run)]);
            let sessions = (0..world.sessions.len()).flat_map(|session| {
                [Fault::Kill(session), Fault::Statement(session), Fault::DropProof(session)]
            });
            let faults = runs.chain(sessions).chain([Fault::PythonCrash, Fault::Restart]);
            steps.extend(faults.map(Step::Fault));
        }
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        let mut after = world.clone();
        match step {
            Step::Run { run, via, chance } => {
                Turn { setup: self, world: &mut after, run, via, chance }.step()
            }
            Step::Serve(session) => after.serve(self, session),
            Step::Reap(session) => after.reap(session),
            Step::Python => after.python(self),
            Step::Unlock => after.unlock(self),
            Step::Fault(fault) => after.suffer(self, fault),
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
            Property::always(OWNED, |_, world: &World| !world.marks.trespassed),
            Property::always(ONCE, |setup, world: &World| {
                whole(setup).all(|version| world.effects[version] <= 1)
            }),
            Property::always(RECORDED, |setup, world: &World| {
                whole(setup).all(|version| world.effects[version] == world.history[version])
            }),
            Property::always(LIVING, |_, world: &World| !world.marks.robbed_living),
            Property::always(UNKNOWN, |_, world: &World| !world.marks.robbed_unknown),
            Property::always(ALONE, |_, world: &World| world.marks.unlocked || !world.overlap()),
            Property::always(TIDY, |_, world: &World| is_tidy(world)),
            Property::always(CAUSE, |_, world: &World| {
                (0..2).all(|run| is_lost_for_a_cause(world, run))
            }),
            Property::sometimes("both versions are applied", |_, world: &World| {
                world.pending() == 0
            }),
            Property::sometimes("somebody gives up", |_, world: &World| {
                world.clients.iter().any(|client| client.phase == Phase::Done(Outcome::Busy))
            }),
        ];
        if self.faults > 0 && self.runs.iter().all(|access| access.liveness.has_session_lock()) {
            let inherited = |_: &Setup, world: &World| world.marks.inherited;
            properties.push(Property::sometimes("somebody inherits from the dead", inherited));
        }
        if self.renewals > 0 {
            let renewed = |_: &Setup, world: &World| {
                (0..2).any(|run| {
                    let Client { phase, session, .. } = world.clients[run];
                    phase == Phase::ReleaseProof(Outcome::Applied) && session == renewed(run)
                })
            };
            properties.push(Property::sometimes("a run ends well over a fresh session", renewed));
        }
        let fenced = self.runs.iter().any(|access| access.liveness == Liveness::Fenced);
        if fenced && self.fenceable() && !self.is_open(0b11) {
            let taken = |_: &Setup, world: &World| world.marks.taken_over.contains(&true);
            properties.push(Property::sometimes("somebody takes over from the silent", taken));
        }
        properties
    }
}

pub(super) const SINGLE: &str = "one transaction at a time is past its fence";
pub(super) const OWNED: &str = "who commits has the row";
pub(super) const ONCE: &str = "a transactional file takes effect once";
pub(super) const RECORDED: &str = "history and effect go together";
pub(super) const LIVING: &str = "nobody inherits from the living";
pub(super) const UNKNOWN: &str = "the unknown are not robbed";
pub(super) const ALONE: &str = "what commits by itself runs alone, unless an operator unlocked";
pub(super) const TIDY: &str = "a run that ends by itself leaves no lock behind";
pub(super) const CAUSE: &str = "the lock is lost to an operator or a takeover only";

fn whole(setup: &Setup) -> impl Iterator<Item = usize> {
    (0..2).filter(|version| setup.files[*version] == File::Whole)
}

fn is_tidy(world: &World) -> bool {
    (0..2).all(|run| match world.clients[run].phase {
        Phase::Done(Outcome::Severed) => true,
        Phase::Done(_) => world.row != Some(Id::Run(run as u8)),
        _ => true,
    })
}

fn is_lost_for_a_cause(world: &World, run: usize) -> bool {
    let marks = world.marks;
    match world.clients[run].phase {
        Phase::Release(Outcome::LockLost) | Phase::Done(Outcome::LockLost) => {
            marks.unlocked || marks.dropped || marks.taken_over[run]
        }
        _ => true,
    }
}

fn chances(world: &World, run: usize) -> Vec<Chance> {
    let mut chances = vec![Chance::Soon];
    match world.clients[run].phase {
        Phase::Acquire(Action::ReadRow, _) => {
            chances.push(Chance::Late);
            if world.row.is_some() {
                chances.push(Chance::Silent);
            }
        }
        Phase::Afresh => chances.push(Chance::Late),
        Phase::Proven(_) if world.faults > 0 => chances.push(Chance::Refused),
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

/// Returns a state that a waiting run can never leave without help, although the row has no owner
/// whose end it cannot check.
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
        let lost = |at: &usize| !reached[*at] && !is_excused(setup, &worlds[*at], run);
        (0..worlds.len()).find(lost).map(|at| worlds[at].clone())
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
        Phase::Acquire(action, _) => !matches!(action, Action::Hold | Action::GiveUp),
        phase => matches!(phase, Phase::Proven(_) | Phase::Unproven),
    }
}

/// Whether the owner of the row has ended, and this waiting run cannot check that.
fn is_excused(setup: &Setup, world: &World, run: usize) -> bool {
    let Some(id) = world.row else { return false };
    let (Id::Run(owner) | Id::Heir(owner)) = id else { return world.python == Python::Dead };
    let phase = world.clients[owner as usize].phase;
    let gone = matches!(phase, Phase::Dead | Phase::Done(_) | Phase::Afresh);
    let (theirs, ours) = (world.claim_of(id), world.clients[run].claim);
    let provable = theirs.has_session_lock() && theirs == ours;
    gone && !provable && !(theirs == Liveness::Fenced && setup.fenceable())
}
