//! Digests.
/// Two digests that one source signed for one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equivocation {}
