//! The names of the databases that tests create.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jetbase_core::{Migrations, Reading};
use sha2::{Digest, Sha256};

/// How the name of each database of a test begins.
pub(crate) const TEST_PREFIX: &str = "jetbase_test_";

/// How the name of each template begins.
pub(crate) const TEMPLATE_PREFIX: &str = "jetbase_template_";

/// How long the database of an ended test stays, unless the same test runs again.
const KEPT: Duration = Duration::from_secs(3600);

/// How many templates of one folder stay.
pub(crate) const KEPT_TEMPLATES: usize = 8;

/// The name of the database of one test: what it is for, when it was created, and a random part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestName {
    text: String,
    /// The prefix that all databases of the same test have.
    of_test: String,
}

impl TestName {
    /// Returns a new name for a database of the test.
    pub(crate) fn new(test: &str) -> Self {
        let program = std::env::current_exe().unwrap_or_default();
        let program = program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        // Cargo adds a hash to the name of a test program, which changes with each change of the code.
        let program = program.rsplit_once('-').map_or(&*program, |(name, _)| name);
        let of_test = format!("{TEST_PREFIX}{}_", short_hash(&[program, test]));
        let text = format!("{of_test}{:08x}_{:08x}", now(), fastrand::u32(..));
        TestName { text, of_test }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether an ended test has left this database, and it is no longer needed: the same test runs
    /// again, or the database is old.
    pub(crate) fn replaces(&self, left: &str) -> bool {
        let Some(created) = created(left) else { return false };
        left.starts_with(&self.of_test) || u64::from(now()).saturating_sub(created) > KEPT.as_secs()
    }
}

/// When the database of a test was created, in seconds. `None` if this is no name of one.
fn created(name: &str) -> Option<u64> {
    let parts: Vec<_> = name.strip_prefix(TEST_PREFIX)?.split('_').collect();
    let [test, created, random] = parts[..] else { return None };
    let is_hex = |text: &str, length| {
        text.len() == length
            && text.bytes().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it))
    };
    let all = is_hex(test, 16) && is_hex(created, 8) && is_hex(random, 8);
    all.then(|| u64::from_str_radix(created, 16).ok()).flatten()
}

/// The name of a template. It is another one as soon as a file of the set has another name or checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TemplateName {
    text: String,
    /// The prefix that all templates of the same folder have.
    pub(crate) of_folder: String,
}

impl TemplateName {
    pub(crate) fn of(migrations: &Migrations) -> Self {
        let options = migrations.options();
        let mut parts = vec![
            env!("CARGO_PKG_VERSION").to_owned(),
            options.schema.unwrap_or_default().to_owned(),
            if options.reading == Reading::Python { "python" } else { "" }.to_owned(),
        ];
        for migration in migrations.iter() {
            parts.extend([migration.path().to_owned(), migration.checksum().to_string()]);
        }
        let parts: Vec<_> = parts.iter().map(String::as_str).collect();
        let folder = short_hash(&[options.folder.unwrap_or_default()]);
        let of_folder = format!("{TEMPLATE_PREFIX}{folder}_");
        TemplateName { text: format!("{of_folder}{}", short_hash(&parts)), of_folder }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// A number for a lock of the server.
    #[cfg(feature = "postgres")]
    pub(crate) fn number(&self) -> i64 {
        let hash = self.text.rsplit('_').next().unwrap_or_default();
        u64::from_str_radix(hash, 16).unwrap_or_default().cast_signed()
    }
}

/// 16 hexadecimal digits of a hash of the parts.
fn short_hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn now() -> u32 {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_test_database_fits_into_every_database() {
        let name = TestName::new("orders::a_test_with_a_long_name_that_is_hashed");
        assert_eq!(name.as_str().len(), 47);
        assert!(created(name.as_str()).is_some());
        assert_ne!(name, TestName::new("orders::a_test_with_a_long_name_that_is_hashed"));
    }

    #[test]
    fn only_what_a_test_has_left_is_replaced() {
        let name = TestName::new("a");
        assert!(name.replaces(TestName::new("a").as_str()));
        assert!(!name.replaces(TestName::new("b").as_str()));
        assert!(name.replaces("jetbase_test_0123456789abcdef_00000001_0123abcd"));
        for other in [
            "jetbase_test_orders",
            "jetbase_test_0123456789abcdef_00000001_0123abcd_1",
            "jetbase_test_0123456789abcdef_0000001_0123abcd",
            "jetbase_test_0123456789ABCDEF_00000001_0123abcd",
            "jetbase_template_0123456789abcdef_0123456789abcdef",
            "app",
        ] {
            assert!(!name.replaces(other), "{other}");
        }
    }
}
