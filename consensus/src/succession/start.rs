//! E5: beginning an epoch, at first and after a crash.

use super::{
    Chain, Handover, Joining, Output, Running, Store, Stored, Succession,
    handover::{Opening, tag},
    retiring::Retiring,
    transfer::Visitors,
};
use crate::{
    Epoch, Replica, Settings,
    application::Application,
    identity::{PeerId, Signer},
    replica::StartError,
    time::Time,
    wire,
};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

impl<A: Application + Clone> Succession<A> {
    /// A peer that trusts `trusted` to be an epoch of its cluster. `stored` is what it stored before.
    /// `application` is in its first state.
    ///
    /// # Errors
    /// If a store cannot be relied on. Then nothing was done.
    pub fn start(
        trusted: Arc<Epoch>,
        signer: Arc<dyn Signer>,
        application: A,
        settings: Settings,
        stored: &Stored,
        now: Time,
    ) -> Result<Succession<A>, StartError> {
        let mut succession = Succession {
            me: signer.id(),
            signer,
            application,
            settings,
            now,
            chain: Chain::toward(trusted.clone(), &stored.lineage),
            member: None,
            retiring: VecDeque::new(),
            joining: None,
            waiting: VecDeque::new(),
            left_over: Vec::new(),
            abstains: stored.lost,
            visitors: Visitors::default(),
            pending: BTreeMap::new(),
            next_check: 0,
            seek: (now, 0),
            guide: None,
            alarm: Time::NEVER,
            outputs: VecDeque::new(),
        };
        for link in &stored.links {
            // One that was told twice does not follow the newest.
            if let Ok(handover) = wire::decode(link) {
                succession.chain.follow(succession.me, &handover);
            }
        }
        let mut places = Vec::new();
        for store in &stored.stores {
            let place = Place::of(store, &trusted, succession.me)?;
            let begun = succession.run(place.epoch.clone(), place.records);
            if begun.as_ref().err() == Some(&StartError::Origin) && place.records.len() <= 1 {
                // It was opened, and the state that its epoch begins with was not wholly written.
                succession
                    .outputs
                    .push_back(Output::Drop(tag(&place.epoch)));
            } else {
                places.push((place, begun?));
            }
        }
        places.sort_by_key(|(place, _)| place.epoch.origin().height);
        match places.pop() {
            _ if succession.abstains => {}
            None if trusted.position(succession.me).is_some() => {
                succession.chain.go_back(tag(&trusted));
                succession.member = Some(succession.run(trusted, &[])?);
            }
            None if succession.wants_to_seek() => {}
            None => succession.begin_joining(None),
            Some((place, running)) => {
                if let Some((ended, handovers)) = &place.origin {
                    if !succession.chain.go_back(tag(ended)) {
                        succession.chain = Chain::new(ended.clone());
                    }
                    for handover in handovers {
                        let successors = succession.chain.follow(succession.me, handover);
                        successors.ok_or(StartError::Origin)?;
                    }
                }
                succession.chain.go_back(running.tag);
                succession.member = Some(running);
                for (place, running) in places {
                    succession.serve_again(place, running);
                }
            }
        }
        succession.settle();
        Ok(succession)
    }

    fn run(&self, epoch: Arc<Epoch>, records: &[Vec<u8>]) -> Result<Running<A>, StartError> {
        let (signer, application) = (self.signer.clone(), self.application.clone());
        let tag = tag(&epoch);
        let mut replica =
            Replica::new(epoch, signer, application, self.settings, records, self.now)?;
        replica.greet();
        Ok(Running {
            tag,
            replica,
            alarm: Time::ZERO,
        })
    }

    /// Serves an epoch that is over, as before the crash, if it is known what followed it.
    fn serve_again(&mut self, place: Place<'_>, running: Running<A>) {
        match self.chain.end_of(tag(&place.epoch)) {
            Some(end) => {
                let retiring = Retiring::new(running, end, None, self.now);
                self.retiring.push_back(retiring);
            }
            None => self.outputs.push_back(Output::Drop(running.tag)),
        }
    }

    /// Begins the newest epoch with the state in which the one before ended.
    pub(super) fn begin(&mut self, snapshot: Bytes) {
        let epoch = self.chain.newest().clone();
        let Some((ended, handovers)) = self.chain.opening() else {
            return;
        };
        let (before, opening) = (tag(ended), Opening::encode(ended, handovers));
        let (signer, application) = (self.signer.clone(), self.application.clone());
        let (settings, now) = (self.settings, self.now);
        match Replica::succeed(epoch.clone(), signer, application, settings, snapshot, now) {
            Ok(mut replica) => {
                match self.retiring.back().map(|last| &last.running) {
                    Some(last) if last.tag == before => replica.suspect(&last.replica.suspects()),
                    // Others may have begun long ago.
                    _ => replica.greet(),
                }
                self.outputs.push_back(Output::Open(tag(&epoch), opening));
                self.member = Some(Running {
                    tag: tag(&epoch),
                    replica,
                    alarm: Time::ZERO,
                });
                self.outputs.push_back(Output::Began(epoch));
            }
            Err(error) => self.outputs.push_back(Output::Failed(epoch, error)),
        }
    }

    /// E9: takes part from the newest epoch on.
    pub(super) fn take_part(&mut self) {
        let member = self.chain.newest().position(self.me).is_some();
        if std::mem::replace(&mut self.abstains, false) && member {
            self.begin_joining(None);
        }
    }

    /// Fetches the state that the newest epoch begins with.
    pub(super) fn begin_joining(&mut self, told_by: Option<PeerId>) {
        let epoch = self.chain.newest().clone();
        if let Some((ended, _)) = self.chain.last_handover() {
            self.joining = Some(Joining::new(epoch, ended, self.me, told_by));
        }
    }
}

/// A store, and the epoch that it is of.
struct Place<'a> {
    epoch: Arc<Epoch>,
    /// The epoch before, and what leads on from it.
    origin: Option<(Arc<Epoch>, Vec<Handover>)>,
    records: &'a [Vec<u8>],
}

impl<'a> Place<'a> {
    fn of(store: &'a Store, trusted: &Arc<Epoch>, me: PeerId) -> Result<Place<'a>, StartError> {
        let records = &store.records[..];
        if store.opening.is_empty() {
            return Ok(Place {
                epoch: trusted.clone(),
                origin: None,
                records,
            });
        }
        let opening = Opening::decode(&store.opening, trusted.network());
        let (mut ended, handovers) = opening.ok_or(StartError::Origin)?;
        ended.mutants = trusted.mutants;
        let ended = Arc::new(ended);
        let mut chain = Chain::new(ended.clone());
        for handover in &handovers {
            chain.follow(me, handover).ok_or(StartError::Origin)?;
        }
        let epoch = chain.newest().clone();
        epoch.position(me).ok_or(StartError::NotAMember)?;
        Ok(Place {
            epoch,
            origin: Some((ended, handovers)),
            records,
        })
    }
}
