//! Hamlet.
