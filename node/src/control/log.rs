//! A cluster's log, for people and programs.

use hamlet_overlay::{
    agreement::entry::{Act, Entry, Reason, Wish},
    evidence::Kind,
    identity::PeerId,
};
use serde::{Deserialize, Serialize};

/// An entry of a cluster's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Its place among all entries since the founding, from 0.
    pub number: u64,
    /// The height at which it was decided.
    pub height: u64,
    /// What was decided.
    #[serde(flatten)]
    pub what: What,
}

/// What was decided; keys of peers are in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum What {
    /// A member's operator wrote a note.
    Note {
        /// The member.
        by: String,
        /// What it says.
        text: String,
        /// When it was written, by its writer's clock, in milliseconds since 1970.
        written_unix_ms: u64,
    },
    /// A member's operator wants a peer added.
    Add {
        /// The member.
        by: String,
        /// The peer.
        peer: String,
        /// How many members want it now.
        supporters: u8,
        /// How many have to; then it is done with the next epoch.
        needed: u8,
    },
    /// A member's operator wants a member removed.
    Remove {
        /// The member whose operator wants it.
        by: String,
        /// The one to be removed.
        peer: String,
        /// How many members want it now.
        supporters: u8,
        /// How many have to; then it is done with the next epoch.
        needed: u8,
    },
    /// An epoch began.
    Epoch {
        /// Its number.
        epoch: u64,
        /// Who is new.
        joined: Vec<String>,
        /// Who is not a member any more.
        left: Vec<String>,
    },
    /// The cluster was too large and has split.
    Split {
        /// The number of the cluster that goes on.
        old: u64,
        /// The number of the one that begins.
        new: u64,
        /// Who went the other way than the members of this log.
        parted: Vec<String>,
    },
    /// A neighbouring cluster is in another epoch.
    Neighbour {
        /// The cluster's number.
        cluster: u64,
        /// The epoch's number.
        epoch: u64,
    },
    /// A peer asked for a walk.
    Asked {
        /// The peer.
        peer: String,
    },
    /// A peer's walk ended in this cluster.
    Arrived {
        /// The peer.
        peer: String,
    },
    /// A member leaves with this epoch.
    Leaves {
        /// The member.
        peer: String,
        /// Why.
        why: Why,
    },
    /// Evidence proves a key guilty: it has no place for a term.
    Barred {
        /// The key.
        peer: String,
        /// What it did.
        why: Kind,
        /// The id of the evidence.
        evidence: String,
    },
    /// The term of a key that was barred is over.
    Served {
        /// The key.
        peer: String,
    },
    /// A member lost what it had stored; it takes part again from the next epoch on.
    Lost {
        /// The member.
        by: String,
    },
}

/// Why a member leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// It said so.
    Said,
    /// Its lease has run out.
    LeaseOver,
    /// Its fellows have not heard of it for too long.
    Silent,
    /// It gave most of its fellows too little of what it owed them.
    Withheld,
    /// Evidence proves it guilty.
    Barred,
}

impl From<Reason> for Why {
    fn from(reason: Reason) -> Why {
        match reason {
            Reason::Said => Why::Said,
            Reason::Lease => Why::LeaseOver,
            Reason::Silent => Why::Silent,
            Reason::Withheld => Why::Withheld,
            Reason::Barred => Why::Barred,
        }
    }
}

impl From<&Entry> for LogEntry {
    fn from(entry: &Entry) -> LogEntry {
        let keys = |peers: &[PeerId]| peers.iter().map(PeerId::to_string).collect();
        let what = match &entry.act {
            Act::Note {
                by,
                text,
                written_unix_ms,
            } => What::Note {
                by: by.to_string(),
                text: text.clone(),
                written_unix_ms: *written_unix_ms,
            },
            &Act::Wanted {
                by,
                wish: Wish::Add(peer),
                supporters,
                needed,
            } => What::Add {
                by: by.to_string(),
                peer: peer.to_string(),
                supporters,
                needed,
            },
            &Act::Wanted {
                by,
                wish: Wish::Remove(peer),
                supporters,
                needed,
            } => What::Remove {
                by: by.to_string(),
                peer: peer.to_string(),
                supporters,
                needed,
            },
            Act::Began {
                epoch,
                joined,
                left,
            } => What::Epoch {
                epoch: *epoch,
                joined: keys(joined),
                left: keys(left),
            },
            Act::Split { old, new, parted } => What::Split {
                old: *old,
                new: *new,
                parted: keys(parted),
            },
            &Act::Neighbour { cluster, epoch } => What::Neighbour { cluster, epoch },
            Act::Asked { peer } => What::Asked {
                peer: peer.to_string(),
            },
            Act::Arrived { peer } => What::Arrived {
                peer: peer.to_string(),
            },
            Act::Leaves { peer, why } => What::Leaves {
                peer: peer.to_string(),
                why: Why::from(*why),
            },
            Act::Barred {
                peer,
                why,
                evidence,
            } => What::Barred {
                peer: peer.to_string(),
                why: *why,
                evidence: evidence.to_string(),
            },
            Act::Served { peer } => What::Served {
                peer: peer.to_string(),
            },
            Act::Lost { by } => What::Lost { by: by.to_string() },
        };
        LogEntry {
            number: entry.number,
            height: entry.height,
            what,
        }
    }
}

impl LogEntry {
    /// The entry as a line of text.
    pub fn line(&self) -> String {
        format!("{:>6}  {}\n", self.number, self.what.words())
    }
}

impl What {
    /// What was decided, in words. Keys are shortened.
    fn words(&self) -> String {
        let short = |key: &String| key.get(..8).unwrap_or(key).to_owned();
        let list = |keys: &[String]| keys.iter().map(short).collect::<Vec<_>>().join(", ");
        let wanted = |by, verb, peer, supporters: u8, needed: u8| {
            let (by, peer) = (short(by), short(peer));
            match supporters < needed {
                true => format!("{by}  wants to {verb} {peer} ({supporters} of {needed} do)"),
                false => format!("{by}  wants to {verb} {peer}: done with the next epoch"),
            }
        };
        match self {
            What::Note { by, text, .. } => format!("{}  {text}", short(by)),
            What::Add {
                by,
                peer,
                supporters,
                needed,
            } => wanted(by, "add", peer, *supporters, *needed),
            What::Remove {
                by,
                peer,
                supporters,
                needed,
            } => wanted(by, "remove", peer, *supporters, *needed),
            What::Epoch {
                epoch,
                joined,
                left,
            } => {
                let mut text = format!("epoch {epoch} begins");
                if !joined.is_empty() {
                    text.push_str(&format!(", with {}", list(joined)));
                }
                if !left.is_empty() {
                    text.push_str(&format!(", without {}", list(left)));
                }
                text
            }
            What::Split { old, new, parted } => {
                let parted = list(parted);
                format!(
                    "cluster {old} has split: cluster {new} begins; {parted} went the other way"
                )
            }
            What::Neighbour { cluster, epoch } => {
                format!("cluster {cluster} next to this one is in epoch {epoch}")
            }
            What::Asked { peer } => format!("{} asks for a place, and begins to walk", short(peer)),
            What::Arrived { peer } => format!("the walk of {} ends here", short(peer)),
            What::Leaves { peer, why } => match why {
                Why::Said => format!("{} leaves", short(peer)),
                Why::LeaseOver => format!("{} leaves: its lease has run out", short(peer)),
                Why::Silent => format!("{} is put out: nothing is heard of it", short(peer)),
                Why::Withheld => {
                    format!(
                        "{} is put out: it gives too little of what it owes",
                        short(peer)
                    )
                }
                Why::Barred => format!("{} is put out: evidence proves it guilty", short(peer)),
            },
            What::Barred {
                peer,
                why,
                evidence,
            } => {
                let (peer, evidence) = (short(peer), short(evidence));
                format!("{peer} is barred: {why} (evidence {evidence})")
            }
            What::Served { peer } => {
                format!("the term of {} is over: it may come back", short(peer))
            }
            What::Lost { by } => {
                format!(
                    "{} lost what it had stored, and takes part again from the next epoch on",
                    short(by)
                )
            }
        }
    }
}
