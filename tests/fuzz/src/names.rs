//! The names of files.

use jetbase_core::{MigrationKind, Name, Version};

use crate::python;

pub(crate) fn names(data: &[u8]) {
    let file = String::from_utf8_lossy(data);
    let python = python::with_reader(|reader| reader.name(&file));
    match Name::parse(&file) {
        Ok(name) => {
            assert!(!name.description.is_empty());
            assert_eq!(name.kind == MigrationKind::Versioned, name.version.is_some());
            if let Some(version) = &name.version {
                assert_eq!(Version::parse(version.as_str()).as_ref(), Ok(version));
                assert!(version.next() > *version);
            }
            if let Some(python) = python {
                assert_eq!(python.as_deref(), Some(name.description.as_str()), "{file:?}");
            }
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            if let Some(suggestion) = error.suggestion() {
                assert!(Name::parse(&suggestion).is_ok(), "{file:?}: {suggestion:?}");
            }
            // The Python tool also takes the digits of other scripts, and a line break after a version.
            let version = file.split("__").next().unwrap_or_default();
            if version.is_ascii() && !version.contains('\n') {
                assert_eq!(python.flatten(), None, "{file:?}: {error}");
            }
        }
    }
}
