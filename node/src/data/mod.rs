//! What a peer keeps on disk: one folder per peer.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `key` | the peer's secret key, readable by its owner alone |
//! | `key.unused` | there as long as the key has never been used |
//! | `genesis.toml` | the network's genesis |
//! | `hamlet.toml` | the configuration, if there is one |
//! | `state.redb` | what must survive a crash |
//! | `agreement-NETWORK.redb` | what was said in the agreement of the peer's cluster |
//! | `control.json` | where the running node is reached, and the token that writes need |
//! | `token` | what requests over the network need, if there are any |
//! | `lock` | held by the process that runs the peer |

pub mod card;
mod contact;
mod folder;
pub mod genesis;
mod invitation;
mod key;
mod private;
mod reservation;
mod store;

pub use contact::Contact;
pub use folder::{Folder, FolderError, Lock};
pub use invitation::Invitation;
pub use key::{KeyError, SecretKey};
pub use private::{PrivateFileError, read_private, write_private};
pub use reservation::Reservation;
pub use store::{Store, StoreError};
