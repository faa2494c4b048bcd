//! Measuring what a viewer sees, in a real browser.
//!
//! | module | what is in it |
//! | --- | --- |
//! | [`browser`] | a Chromium without a window |
//! | [`playback`] | how soon, how late and how steadily the stream of a demonstration is shown |

pub mod browser;
pub mod playback;
