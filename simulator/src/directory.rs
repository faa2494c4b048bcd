//! From a peer's identity to its dense index, and back.

use hamlet_overlay::identity::PeerId;

/// The peers of a world: identities by index, and indices by identity.
///
/// Identities are keys or hashes, so their first bytes are even already: they index an open-addressing
/// table directly, which is at most half full.
pub struct Directory {
    ids: Vec<PeerId>,
    /// An index plus one, or zero.
    table: Vec<u32>,
}

impl Directory {
    /// The directory of these peers, whose indices are their places.
    pub fn new(ids: Vec<PeerId>) -> Directory {
        let mut table = vec![0; (ids.len() * 2 + 1).next_power_of_two()];
        for (index, &id) in (1..).zip(&ids) {
            let mut place = hash(id) % table.len();
            while table[place] != 0 {
                place = (place + 1) % table.len();
            }
            table[place] = index;
        }
        Directory { ids, table }
    }

    /// The index of a peer; `None` for a stranger.
    pub fn index(&self, id: PeerId) -> Option<usize> {
        let mut place = hash(id) % self.table.len();
        loop {
            let index = (self.table[place] as usize).checked_sub(1)?;
            if self.ids[index] == id {
                return Some(index);
            }
            place = (place + 1) % self.table.len();
        }
    }

    /// The identity of the peer with this index.
    pub fn id(&self, index: usize) -> PeerId {
        self.ids[index]
    }

    /// All identities, in the order of their indices.
    pub fn ids(&self) -> &[PeerId] {
        &self.ids
    }

    /// How many peers there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

fn hash(id: PeerId) -> usize {
    let [a, b, c, d, e, f, g, h, ..] = id.0;
    u64::from_le_bytes([a, b, c, d, e, f, g, h]) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_found_even_when_all_collide() {
        let id = |last| {
            let mut id = [7; 32];
            id[31] = last;
            PeerId(id)
        };
        let directory = Directory::new((0..100).map(id).collect());
        for index in 0..100 {
            assert_eq!(directory.index(id(index as u8)), Some(index));
            assert_eq!(directory.id(index), id(index as u8));
        }
        assert_eq!(directory.index(id(100)), None);
        assert_eq!(Directory::new(Vec::new()).index(id(0)), None);
    }
}
