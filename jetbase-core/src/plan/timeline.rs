//! Which migrations a database has already, as its catalog shows.

mod objects;

use std::ops::RangeInclusive;

use self::objects::{Expected, ObjectTimeline, Objects};
use crate::sql::{CatalogChange, CatalogObject, Dialect};

/// What the catalog of a database says about a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DetectedState {
    /// Every object that it makes exists, and every object that it drops is gone.
    AlreadyThere,
    /// None of its changes is there.
    ToApply,
    /// Some of its changes are there, and others are not.
    Conflict,
    /// The catalog does not show it: for example, it only changes rows, or what it has made is gone again.
    Unknown,
}

impl DetectedState {
    /// Returns the state as text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            DetectedState::AlreadyThere => "already there",
            DetectedState::ToApply => "to apply",
            DetectedState::Conflict => "conflict",
            DetectedState::Unknown => "unknown",
        }
    }
}

/// The comparison of one file with the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetectedFile {
    /// The result.
    pub state: DetectedState,
    /// What is as the file leaves it, such as `table or view users exists`.
    pub done: Vec<String>,
    /// What is as it was before the file, such as `column users.email is missing`.
    pub missing: Vec<String>,
}

/// The objects that the files of a set make and drop, one file after the other.
///
/// A later file may drop what an earlier one has made. So the comparison does not look at one file
/// alone. For each number of applied files, from none to all, the timeline knows what the catalog would
/// show. What the catalog shows now excludes some of these numbers.
///
/// # Examples
///
/// ```
/// use jetbase_core::{CatalogTimeline, DetectedState, Dialect, Syntax, catalog_changes, cut};
///
/// let mut timeline = CatalogTimeline::new(Dialect::Sqlite, "main");
/// for text in ["CREATE TABLE a (id INT);", "CREATE TABLE b (id INT);"] {
///     let statements = cut(text, ";", Syntax::of(Dialect::Sqlite))?;
///     timeline.add(statements.iter().flat_map(catalog_changes));
/// }
/// let found: Vec<_> = timeline.objects().map(|object| object.name == "a").collect();
/// let states: Vec<_> = timeline.compare(&found).iter().map(|it| it.state).collect();
/// assert_eq!(states, [DetectedState::AlreadyThere, DetectedState::ToApply]);
/// # Ok::<(), jetbase_core::CutError>(())
/// ```
#[derive(Clone, Debug)]
pub struct CatalogTimeline {
    /// How many files were added.
    files: usize,
    /// The schema of a name without a schema.
    schema: String,
    objects: Objects,
}

/// What one object says about one file.
struct ObjectEvidence<'a> {
    timeline: &'a ObjectTimeline,
    found: bool,
    after: Expected,
    evidence: Evidence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Evidence {
    /// The object is as the file leaves it, and as no earlier file does.
    Done,
    /// The object is as some earlier file leaves it.
    Missing,
    /// Both are possible.
    Ambiguous,
}

impl CatalogTimeline {
    /// Creates a timeline without files. `schema` is that of a name without a schema.
    #[must_use]
    pub fn new(dialect: Dialect, schema: &str) -> Self {
        let schema = schema.to_owned();
        CatalogTimeline { files: 0, objects: Objects::new(dialect, &schema), schema }
    }

    /// Adds the changes of the next file.
    pub fn add(&mut self, changes: impl IntoIterator<Item = CatalogChange>) {
        self.files += 1;
        self.objects.begin_file(self.files);
        let mut schema = self.schema.clone();
        for change in changes {
            match change {
                CatalogChange::UseSchema(used) => schema = used,
                CatalogChange::Create(object) => self.objects.create(in_schema(object, &schema)),
                CatalogChange::Drop { object, if_exists } => {
                    self.objects.drop(in_schema(object, &schema), if_exists);
                }
                CatalogChange::Rename { from, to } => {
                    let from = in_schema(from, &schema);
                    let to = in_schema(to, from.schema.as_deref().unwrap_or(&schema));
                    self.objects.rename(from, to);
                }
            }
        }
    }

    /// Returns the objects to look for in the catalog, each with its schema.
    pub fn objects(&self) -> impl Iterator<Item = &CatalogObject> {
        self.objects.iter().map(|it| &it.object)
    }

    /// Compares the files with the catalog. `found` says which of the objects exist.
    #[must_use]
    pub fn compare(&self, found: &[bool]) -> Vec<DetectedFile> {
        let mut observed: Vec<Vec<ObjectEvidence<'_>>> = Vec::new();
        observed.resize_with(self.files, Vec::new);
        for (timeline, found) in self.objects.iter().zip(found) {
            for (file, after) in timeline.flips() {
                let before = timeline.fits(*found, 0..=file - 1);
                let evidence = match (before, timeline.fits(*found, file..=self.files)) {
                    (false, _) => Evidence::Done,
                    (true, false) => Evidence::Missing,
                    (true, true) => Evidence::Ambiguous,
                };
                if let Some(observed) = observed.get_mut(file - 1) {
                    observed.push(ObjectEvidence { timeline, found: *found, after, evidence });
                }
            }
        }
        let possible = self.possible_counts(found, &observed);
        observed
            .iter()
            .enumerate()
            .map(|(index, observed)| self.judge(index + 1, observed, &possible))
            .collect()
    }

    /// Returns for each number of applied files whether the catalog could look as it does. Objects of a
    /// file in conflict are left out: no number explains them.
    fn possible_counts(&self, found: &[bool], observed: &[Vec<ObjectEvidence<'_>>]) -> Vec<bool> {
        let in_conflict: Vec<_> = observed
            .iter()
            .map(|it| has(it, Evidence::Done) && has(it, Evidence::Missing))
            .collect();
        let mut possible = vec![true; self.files + 1];
        for (timeline, found) in self.objects.iter().zip(found) {
            let is_left_out =
                timeline.flips().any(|(file, _)| in_conflict.get(file - 1).is_some_and(|it| *it));
            if is_left_out || !timeline.fits(*found, 0..=self.files) {
                continue;
            }
            for (count, possible) in possible.iter_mut().enumerate() {
                *possible = *possible && timeline.fits(*found, count..=count);
            }
        }
        possible
    }

    fn judge(
        &self,
        file: usize,
        observed: &[ObjectEvidence<'_>],
        possible: &[bool],
    ) -> DetectedFile {
        let mut evidence: Vec<_> = observed.iter().map(|it| it.evidence).collect();
        if !evidence.is_empty() && evidence.iter().all(|it| *it == Evidence::Ambiguous) {
            // The other files decide.
            let any = |range: RangeInclusive<usize>| {
                possible.get(range).is_some_and(|it| it.contains(&true))
            };
            match (any(0..=file - 1), any(file..=self.files)) {
                (false, true) => evidence.fill(Evidence::Done),
                (true, false) => evidence.fill(Evidence::Missing),
                _ => {}
            }
        }
        let texts = |wanted: Evidence| -> Vec<String> {
            let chosen = observed.iter().zip(&evidence).filter(|(_, it)| **it == wanted);
            chosen.map(|(it, _)| self.describe(it, wanted)).collect()
        };
        let (done, missing) = (texts(Evidence::Done), texts(Evidence::Missing));
        let state = match (done.is_empty(), missing.is_empty()) {
            (false, true) => DetectedState::AlreadyThere,
            (true, false) => DetectedState::ToApply,
            (false, false) => DetectedState::Conflict,
            (true, true) => DetectedState::Unknown,
        };
        DetectedFile { state, done, missing }
    }

    /// Says whether an object exists.
    fn describe(&self, observation: &ObjectEvidence<'_>, evidence: Evidence) -> String {
        let name = objects::described(&observation.timeline.object, &self.schema);
        let (is_made, is_done) =
            (observation.after == Expected::Present, evidence == Evidence::Done);
        let state = match (is_made, is_done, observation.found) {
            (true, true, true) => "exists",
            (true, true, false) => "was dropped later",
            (true, false, false) => "is missing",
            (true, false, true) => "exists, but from an earlier file",
            (false, true, false) => "is gone",
            (false, true, true) => "was made again later",
            (false, false, true) => "still exists",
            (false, false, false) => "does not exist yet",
        };
        format!("{name} {state}")
    }
}

fn has(observed: &[ObjectEvidence<'_>], evidence: Evidence) -> bool {
    observed.iter().any(|it| it.evidence == evidence)
}

fn in_schema(object: CatalogObject, schema: &str) -> CatalogObject {
    CatalogObject { schema: Some(object.schema.unwrap_or_else(|| schema.to_owned())), ..object }
}

/// Returns the index of the last file that a baseline can mark as applied: it is there, and each file before
/// it is there or unknown.
#[must_use]
pub fn detected_prefix(states: impl IntoIterator<Item = DetectedState>) -> Option<usize> {
    let mut last = None;
    for (index, state) in states.into_iter().enumerate() {
        match state {
            DetectedState::AlreadyThere => last = Some(index),
            DetectedState::Unknown => {}
            DetectedState::ToApply | DetectedState::Conflict => break,
        }
    }
    last
}

#[cfg(test)]
mod tests;
