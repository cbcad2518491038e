//! What the catalog shows of each object after each file.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use crate::sql::{CatalogObject, Dialect, ObjectKind};

/// Whether an object exists after a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Present,
    Absent,
    /// The files do not show it.
    Unknown,
}

/// One object, before the first file and after each file that changes it.
#[derive(Clone, Debug)]
pub(super) struct ObjectTimeline {
    pub(super) object: CatalogObject,
    initial: Expected,
    /// The numbers of files, ascending.
    changes: Vec<(usize, Expected)>,
}

impl ObjectTimeline {
    /// The files that change the object, and what they leave.
    pub(super) fn flips(&self) -> impl Iterator<Item = (usize, Expected)> {
        let before = std::iter::once(self.initial).chain(self.changes.iter().map(|it| it.1));
        let changed = before.zip(&self.changes).filter(|(before, (_, after))| before != after);
        changed.map(|(_, change)| *change).filter(|(_, after)| *after != Expected::Unknown)
    }

    /// Whether the object can be as it was found after one of these numbers of applied files.
    pub(super) fn fits(&self, found: bool, counts: RangeInclusive<usize>) -> bool {
        let starts = std::iter::once((0, self.initial)).chain(self.changes.iter().copied());
        let ends = self.changes.iter().map(|it| it.0 - 1).chain([usize::MAX]);
        starts.zip(ends).any(|((start, expected), end)| {
            let is_as_found = match expected {
                Expected::Present => found,
                Expected::Absent => !found,
                Expected::Unknown => true,
            };
            is_as_found && start <= *counts.end() && end >= *counts.start()
        })
    }

    fn current(&self) -> Expected {
        self.changes.last().map_or(self.initial, |it| it.1)
    }

    fn set(&mut self, file: usize, expected: Expected) {
        let is_unchanged = self.current() == expected;
        match self.changes.last_mut() {
            Some((last, state)) if *last == file => *state = expected,
            _ if is_unchanged => {}
            _ => self.changes.push((file, expected)),
        }
    }
}

/// What names an object: kind, schema, table, name.
type ObjectKey = (ObjectKind, String, String, String);

/// All objects that the files name.
#[derive(Clone, Debug)]
pub(super) struct Objects {
    dialect: Dialect,
    /// The schema of a name without a schema.
    schema: String,
    file: usize,
    timelines: Vec<ObjectTimeline>,
    index: HashMap<ObjectKey, usize>,
    /// The objects of each table, and the file that has created the table.
    tables: HashMap<ObjectKey, Vec<usize>>,
    created: HashMap<ObjectKey, usize>,
}

impl Objects {
    pub(super) fn new(dialect: Dialect, schema: &str) -> Self {
        Objects {
            dialect,
            schema: schema.to_owned(),
            file: 0,
            timelines: Vec::new(),
            index: HashMap::new(),
            tables: HashMap::new(),
            created: HashMap::new(),
        }
    }

    pub(super) fn begin_file(&mut self, file: usize) {
        self.file = file;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &ObjectTimeline> {
        self.timelines.iter()
    }

    pub(super) fn create(&mut self, object: CatalogObject) {
        let key = self.key(&object);
        if object.kind == ObjectKind::Table {
            // The files show which columns and indexes are added later, and not which ones the table
            // begins with.
            self.set_children(&key, Expected::Unknown);
            self.created.insert(key, self.file);
        }
        let at = self.place(object, Expected::Absent);
        self.set(at, Expected::Present);
    }

    pub(super) fn drop(&mut self, object: CatalogObject, if_exists: bool) {
        let key = self.key(&object);
        if object.kind == ObjectKind::Table {
            self.set_children(&key, Expected::Absent);
        }
        if object.kind == ObjectKind::Schema {
            let of_schema = |it: &ObjectTimeline| it.object.schema.as_deref() == Some(&object.name);
            let file = self.file;
            let dropped = self.timelines.iter_mut().filter(|it| of_schema(it));
            dropped.for_each(|it| it.set(file, Expected::Absent));
        }
        let initial = if if_exists { Expected::Unknown } else { Expected::Present };
        // Another function with the name but other arguments may stay.
        let is_overloaded = object.kind == ObjectKind::Routine && self.dialect == Dialect::Postgres;
        let at = self.place(object, initial);
        self.set(at, if is_overloaded { Expected::Unknown } else { Expected::Absent });
    }

    pub(super) fn rename(&mut self, from: CatalogObject, to: CatalogObject) {
        if from.kind != ObjectKind::Table {
            self.drop(from, false);
            return self.create(to);
        }
        let children = self.tables.get(&self.key(&from)).cloned().unwrap_or_default();
        let moved: Vec<_> = children
            .iter()
            .filter_map(|at| self.timelines.get(*at))
            .map(|it| (it.object.clone(), it.current()))
            .collect();
        let key = self.key(&from);
        let created = self.created.remove(&key);
        self.drop(from, false);
        let new_key = self.key(&to);
        self.create(to.clone());
        if let Some(created) = created {
            self.created.insert(new_key, created);
        }
        for (object, expected) in moved {
            let object =
                CatalogObject { schema: to.schema.clone(), table: Some(to.name.clone()), ..object };
            let at = self.place(object, Expected::Absent);
            self.set(at, expected);
        }
    }

    fn set(&mut self, at: usize, expected: Expected) {
        let file = self.file;
        if let Some(timeline) = self.timelines.get_mut(at) {
            timeline.set(file, expected);
        }
    }

    fn set_children(&mut self, table: &ObjectKey, expected: Expected) {
        for at in self.tables.get(table).cloned().unwrap_or_default() {
            self.set(at, expected);
        }
    }

    /// Returns where an object is. `initial` is whether it exists before the file that names it first.
    fn place(&mut self, object: CatalogObject, initial: Expected) -> usize {
        let key = self.key(&object);
        let table = object.table.as_ref().map(|table| {
            let table = CatalogObject {
                kind: ObjectKind::Table,
                name: table.clone(),
                table: None,
                ..object.clone()
            };
            self.key(&table)
        });
        let at = match self.index.get(&key) {
            Some(at) => *at,
            None => {
                // What is not created by itself has come with its table.
                let created = table.as_ref().and_then(|table| self.created.get(table));
                let (initial, changes) = match created {
                    Some(file) if initial != Expected::Absent => {
                        (Expected::Absent, vec![(*file, initial)])
                    }
                    _ => (initial, Vec::new()),
                };
                self.timelines.push(ObjectTimeline { object, initial, changes });
                self.index.insert(key, self.timelines.len() - 1);
                self.timelines.len() - 1
            }
        };
        if let Some(table) = table {
            let children = self.tables.entry(table).or_default();
            if !children.contains(&at) {
                children.push(at);
            }
        }
        at
    }

    fn key(&self, object: &CatalogObject) -> ObjectKey {
        let schema = object.schema.clone().unwrap_or_else(|| self.schema.clone());
        let table = object.table.clone().unwrap_or_default();
        let (kind, name) = (object.kind, object.name.clone());
        match (self.dialect, kind) {
            (_, ObjectKind::Schema | ObjectKind::Extension) => {
                (kind, String::new(), String::new(), name)
            }
            // These names belong to the schema, and not to the table.
            (Dialect::Postgres, ObjectKind::Index) => (kind, schema, String::new(), name),
            (Dialect::MySql, ObjectKind::Trigger) => (kind, schema, String::new(), name),
            (Dialect::Sqlite, ObjectKind::Index | ObjectKind::Trigger) => {
                (kind, schema.to_lowercase(), String::new(), name.to_lowercase())
            }
            (Dialect::Sqlite, _) => {
                (kind, schema.to_lowercase(), table.to_lowercase(), name.to_lowercase())
            }
            (Dialect::MySql, ObjectKind::Column | ObjectKind::Index | ObjectKind::Routine) => {
                (kind, schema, table, name.to_lowercase())
            }
            _ => (kind, schema, table, name),
        }
    }
}

/// Returns the kind and the name of an object. The usual schema is not named.
pub(super) fn described(object: &CatalogObject, schema: &str) -> String {
    let kind = match object.kind {
        ObjectKind::Table => "table or view",
        ObjectKind::Index => "index",
        ObjectKind::Column => "column",
        ObjectKind::Constraint => "constraint",
        ObjectKind::Trigger => "trigger",
        ObjectKind::Routine => "function or procedure",
        ObjectKind::Schema => return format!("schema {}", object.name),
        ObjectKind::Partition => "partition",
        ObjectKind::Type => "type",
        ObjectKind::Extension => return format!("extension {}", object.name),
    };
    let other_schema = object.schema.as_deref().filter(|it| *it != schema);
    let table = match object.kind {
        ObjectKind::Column | ObjectKind::Constraint | ObjectKind::Trigger => {
            object.table.as_deref()
        }
        _ => None,
    };
    let path: Vec<_> =
        other_schema.into_iter().chain(table).chain([object.name.as_str()]).collect();
    format!("{kind} {}", path.join("."))
}
