//! A replica and the records that it finds on its disk.

use super::cluster::{RECORDED, replica};
use hamlet_consensus::{Input, time::Time};

/// Journals as replicas write them: for each record its length, in four bytes, and itself.
pub fn journals() -> Vec<Vec<u8>> {
    let framed = |record: &Vec<u8>| [&(record.len() as u32).to_le_bytes(), &record[..]].concat();
    (RECORDED.journals.iter())
        .map(|journal| journal.iter().flat_map(framed).collect())
        .collect()
}

/// A damaged journal is refused, or taken without its torn end; it never breaks the replica.
pub fn journal(mut bytes: &[u8]) {
    let mut records = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = (u32::from_le_bytes(*length) as usize).min(rest.len());
        let (record, rest) = rest.split_at(length);
        records.push(record.to_vec());
        bytes = rest;
    }
    if let Some(mut replica) = replica(0, &records, Time::ZERO) {
        replica.handle(Time::ZERO, Input::Wake);
    }
}
