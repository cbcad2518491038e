//! What names a version in a call.

use jetbase_core::Version;

/// A version of the set: a variant of the generated `versions`, or a [`Version`].
///
/// A text is none, because a program that misspells it would find out only when it runs.
/// [`Version::parse`] reads one.
///
/// # Examples
///
/// ```
/// use jetbase_core::Version;
/// use jetbase_runtime::IntoVersion;
///
/// assert_eq!(Version::parse("1_2")?.into_version().as_str(), "1.2");
/// # Ok::<(), jetbase_core::VersionError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name a version",
    label = "expected a version of the set",
    note = "write its name, such as `migrations::versions::V1__CREATE_USERS`: then the compiler checks that it exists",
    note = "a text becomes a version with `jetbase::Version::parse(text)?`"
)]
pub trait IntoVersion {
    /// Returns the version.
    fn into_version(self) -> Version;
}

impl IntoVersion for Version {
    fn into_version(self) -> Version {
        self
    }
}
