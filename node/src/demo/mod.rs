//! A network of real peers in this process, with a stream through it: to look at, and to measure.
//!
//! Every peer has its own identity, data folder, sockets and state machine, and all that passes between
//! them passes over libp2p connections on the loopback address. One of them publishes; all the others
//! receive, and one that is not the source serves players.
//!
//! | module | what is in it |
//! | --- | --- |
//! | [`options`] | what can be chosen |
//! | [`founding`] | keys, folders, ports and the genesis |
//! | [`stage`] | the running peers |
//! | [`cast`] | who is what at the moment, and what people want done |
//! | [`crowd`] | who joins and who dies by itself |
//! | [`door`] | the page of the whole network, over HTTP |
//! | [`power`] | what people do to the peers |
//! | [`audience`] | what each peer received, when, and whether it is what the source published |
//! | [`process`] | what it cost this process |
//! | [`summary`] | the figures |

mod audience;
mod cast;
mod crowd;
mod door;
mod founding;
mod options;
mod power;
mod process;
mod run;
mod stage;
mod summary;

pub use options::{Growth, Kill, Options};
pub use run::run;
pub use summary::{Latency, Newcomers, Summary};
