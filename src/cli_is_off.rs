//! What `migrations::cli()` returns without the feature `cli`: every use of it is a compile error that
//! names the feature.

use std::marker::PhantomData;
use std::process::ExitCode;

/// The command line, which needs the feature `cli`.
#[derive(Debug)]
pub struct CliIsOff<Feature = ()>(PhantomData<Feature>);

/// The feature `cli`. Nothing has this trait.
#[diagnostic::on_unimplemented(
    message = "the feature `cli` of jetbase is off",
    label = "this needs the feature `cli`",
    note = "run `cargo add jetbase --features cli`"
)]
pub trait HasFeatureCli {}

impl CliIsOff {
    /// Returns the value whose methods do not compile.
    #[must_use]
    pub const fn new() -> Self {
        CliIsOff(PhantomData)
    }
}

impl Default for CliIsOff {
    fn default() -> Self {
        CliIsOff::new()
    }
}

impl<Feature> CliIsOff<Feature> {
    /// Needs the feature `cli`.
    pub fn command(&self)
    where
        Feature: HasFeatureCli,
    {
    }

    /// Needs the feature `cli`.
    pub async fn run_main(&self) -> ExitCode
    where
        Feature: HasFeatureCli,
    {
        ExitCode::FAILURE
    }

    /// Needs the feature `cli`.
    pub async fn handle<M, T>(&self, _matches: M, _target: T) -> ExitCode
    where
        Feature: HasFeatureCli,
    {
        ExitCode::FAILURE
    }

    /// Needs the feature `cli`.
    pub async fn handle_url<M>(&self, _matches: M) -> ExitCode
    where
        Feature: HasFeatureCli,
    {
        ExitCode::FAILURE
    }
}
