//! Founds a new network: keys, places and the genesis.

use super::{New, arguments::Admit, wrong};
use crate::{
    data::SecretKey,
    failure::{Failure, Kind},
};
use hamlet_overlay::{
    genesis::{Founder, Genesis, Model, Network, Parameters, Publisher},
    hash::Hash,
    membership::admission::Admission,
};
use std::{net::IpAddr, time::Duration};

/// A founder that gets a data folder.
pub(super) struct Peer {
    pub key: SecretKey,
    pub host: IpAddr,
    pub port: u16,
    pub http_port: u16,
}

impl New {
    /// The founders that get a data folder.
    pub(super) fn peers(&self) -> Result<Vec<Peer>, Failure> {
        let hosts = self.hosts.len();
        (0..self.peers)
            .map(|number| {
                let port = |first: u16| {
                    let port = u16::try_from(number / hosts).ok();
                    port.and_then(|port| first.checked_add(port))
                        .ok_or_else(|| wrong("there are not enough ports; begin with a lower one, or name more hosts"))
                };
                Ok(Peer {
                    key: SecretKey::generate()?,
                    host: self.hosts[number % hosts],
                    port: port(self.port)?,
                    http_port: port(self.http_port)?,
                })
            })
            .collect()
    }

    /// The network of these founders and of those who bring their keys.
    pub(super) fn found(&self, peers: &[Peer]) -> Result<Network, Failure> {
        let publishers = self
            .publishers
            .iter()
            .map(|publisher| {
                let peer = peers.get(publisher.peer).ok_or_else(|| {
                    wrong(format!(
                        "--publisher {}: the peers that get a folder are numbered from 0 to {}",
                        publisher.peer,
                        peers.len().saturating_sub(1)
                    ))
                })?;
                Ok(Publisher {
                    stream: peer.key.id(),
                    max_bits_per_s: publisher.rate.unwrap_or(self.rate).bits_per_s,
                })
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        let mut founders: Vec<Founder> = peers
            .iter()
            .map(|peer| Founder {
                id: peer.key.id(),
                addresses: addresses(peer.host, peer.port),
            })
            .chain(self.founders.iter().map(|founder| Founder {
                id: founder.peer,
                addresses: vec![founder.address.clone()],
            }))
            .collect();
        founders.sort_by_key(|founder| founder.id);
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| Failure::new(Kind::Failed, error))?;
        let name = self.name.clone().unwrap_or_else(|| {
            let last = self.path.file_name().unwrap_or_default();
            last.to_string_lossy().into_owned()
        });
        let genesis = Genesis {
            admission: match self.admit {
                Admit::Closed => Admission::Closed,
                Admit::Invited => Admission::Invitation {
                    by: publishers
                        .iter()
                        .map(|publisher| publisher.stream)
                        .collect(),
                },
                Admit::Work(bits) => Admission::Work { bits },
                Admit::Open => Admission::Open,
            },
            name,
            parameters: self.parameters(founders.len(), &publishers),
            seed: Hash(seed),
            founders,
            publishers,
        };
        genesis.found().map_err(wrong)
    }

    fn parameters(&self, founders: usize, publishers: &[Publisher]) -> Parameters {
        let usual = Parameters::for_peers(founders);
        let sum = publishers.iter().fold(0u64, |sum, publisher| {
            sum.saturating_add(publisher.max_bits_per_s)
        });
        let total = self.total_rate.map(|rate| rate.bits_per_s);
        Parameters {
            fault_model: match self.synchrony_ms {
                None => usual.fault_model,
                Some(bound) => Model::Synchrony {
                    bound: Duration::from_millis(bound),
                },
            },
            g_min: self.g_min.unwrap_or(usual.g_min),
            g_max: self.g_max.unwrap_or(usual.g_max),
            h: self.h.unwrap_or(usual.h),
            n: self.n.unwrap_or(usual.n),
            k: self.k.unwrap_or(usual.k),
            segment_ms: self.segment_ms,
            epoch_ms: self.epoch_ms,
            lease_ms: self
                .lease_minutes
                .map(|minutes| u32::from(minutes) * 60_000),
            silence_ms: self
                .silence_seconds
                .or((self.admit != Admit::Closed).then_some(30))
                .map(|seconds| u32::from(seconds) * 1_000),
            bar_ms: self
                .bar_minutes
                .map_or(usual.bar_ms, |minutes| u32::from(minutes) * 60_000),
            total_bits_per_s: total.unwrap_or(usual.total_bits_per_s.max(sum)),
        }
    }
}

/// The addresses of a peer on this host: the preferred protocol first.
pub(super) fn addresses(host: IpAddr, port: u16) -> Vec<String> {
    let family = if host.is_ipv4() { "ip4" } else { "ip6" };
    vec![
        format!("/{family}/{host}/udp/{port}/quic-v1"),
        format!("/{family}/{host}/tcp/{port}"),
    ]
}
