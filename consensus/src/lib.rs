//! Byzantine agreement.
