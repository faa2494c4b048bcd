//! What is said across epochs, and a member that hears any of it.

use super::cluster::{CLIENT, LIAR, MEMBERS, Tags, Words, epoch, id};
use hamlet_consensus::{
    Settings, Terms,
    block::BlockId,
    certificate::{Certificate, Claim},
    epoch::{Charter, Host, Merge},
    hash::{Domain, Hash},
    identity::PeerId,
    member::MemberSet,
    succession::{Handover, Input, Output, Parcel, Stored, Succession, Transfer, tag},
    time::Time,
    vote::{Seal, SignedVote},
};
use std::{sync::Arc, time::Duration};

/// The most that one message may make a member want done.
const OUTPUTS_MAX: usize = 100;

/// A handover that all but the liar signed, or one to the liar alone that it signed in everybody's place.
fn handover(honest: bool) -> Handover {
    let epoch = epoch();
    let charter = Charter {
        number: 1,
        terms: Terms::default(),
        members: match honest {
            true => vec![id(0), id(1), CLIENT],
            false => vec![id(LIAR)],
        },
        ..epoch.charter().clone()
    };
    let successors = vec![charter];
    let seal = Seal {
        block: BlockId {
            view: 4,
            height: 6,
            hash: Hash([5; 32]),
        },
        outcomes: Hash::default(),
        state: Some(Hash([7; 32])),
        successors: Some(Charter::hash(&successors, None)),
    };
    let claim = Claim::Sealed(seal);
    let signers = MemberSet::below((MEMBERS - 1).into());
    let signatures = signers.iter().map(|member| {
        let by = if honest { member } else { LIAR };
        SignedVote::new(claim.votes().0, &epoch, &Tags(by)).signature
    });
    Handover {
        ended: tag(&epoch),
        seal: Certificate {
            claim,
            first: signers,
            second: MemberSet::EMPTY,
            signatures: signatures.collect(),
        },
        successors,
        merge: None,
    }
}

/// Messages as peers send them.
pub fn transfers() -> Vec<Vec<u8>> {
    let name = tag(&epoch());
    let seal = Box::new(handover(false).seal);
    let asks = Handover {
        merge: Some(Merge::Asks(Box::new(Host::of(&epoch())))),
        ..handover(true)
    };
    let all = [
        Transfer::Handovers(vec![handover(true)]),
        Transfer::Handovers(vec![handover(false), handover(true)]),
        Transfer::Handovers(vec![asks, handover(true)]),
        Transfer::Follow(name),
        Transfer::FetchOrigin(name),
        Transfer::Pieces(name, vec![Domain::Piece.hash(b"piece"); 2]),
        Transfer::FetchPiece(name, 1),
        Transfer::Piece(name, 0, b"piece".as_slice().into()),
        Transfer::Established(name, seal),
    ];
    all.iter().map(Transfer::encode).collect()
}

/// What is decoded encodes to what decodes to it again, and a member that hears it does not break, wants a bounded
/// number of things done, and believes no end of an epoch but the true one.
pub fn transfer(bytes: &[u8]) {
    let Ok(transfer) = Transfer::decode(bytes) else {
        return;
    };
    assert_eq!(Transfer::decode(&transfer.encode()).as_ref(), Ok(&transfer));
    for from in [id(LIAR), CLIENT] {
        hear(from, transfer.clone());
    }
}

fn hear(from: PeerId, transfer: Transfer) {
    let (signer, words) = (Arc::new(Tags(0)), Words::default());
    let (settings, stored) = (Settings::default(), Stored::default());
    let member = Succession::start(epoch(), signer, words, settings, &stored, Time::ZERO);
    let mut member = member.expect("an empty disk is none damaged");
    let mut now = Time::ZERO;
    for again in 0..4 {
        let parcel = Parcel::Transfer(transfer.clone());
        let input = match again % 2 {
            0 => Input::Parcel { from, parcel },
            _ => Input::Wake,
        };
        now += Duration::from_millis(300);
        member.handle(now, input);
        let mut outputs = 0;
        while let Some(output) = member.poll() {
            outputs += 1;
            assert!(outputs < OUTPUTS_MAX, "{outputs} outputs of one message");
            match output {
                Output::Check(name, check) => {
                    let verdict = check.run(&Tags(0));
                    member.handle(now, Input::Checked(name, verdict));
                }
                Output::Link(_) => {
                    let (_, end) = member.chain().last_handover().expect("it goes on by one");
                    assert_eq!(end.seal.claim, handover(true).seal.claim);
                }
                _ => {}
            }
        }
    }
}
