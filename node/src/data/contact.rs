//! A peer and where to reach it, as text: `KEY@MULTIADDRESS`.

use hamlet_overlay::identity::PeerId;
use libp2p::Multiaddr;
use std::str::FromStr;

/// A peer and where to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The peer.
    pub peer: PeerId,
    /// Its address, a multiaddress.
    pub address: String,
}

impl FromStr for Contact {
    type Err = String;

    fn from_str(text: &str) -> Result<Contact, String> {
        let (key, address) = text
            .split_once('@')
            .ok_or("write KEY@MULTIADDRESS, for example 17…ab@/ip4/192.0.2.7/udp/4711/quic-v1")?;
        let peer = key.parse::<PeerId>().map_err(|error| error.to_string())?;
        address
            .parse::<Multiaddr>()
            .map_err(|error| format!("{address:?} is no multiaddress: {error}"))?;
        Ok(Contact {
            peer,
            address: address.to_owned(),
        })
    }
}
