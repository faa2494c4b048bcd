//! Hamlet.
fn main() {}
