pub(super) fn register(_suite: &mut crate::harness::Suite) {}
