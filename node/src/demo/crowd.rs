//! Who comes and goes by itself: newcomers, who walk to their places, and peers that die.

use super::{
    Options,
    founding::{self, Home},
    stage::{Role, Stage, config, shuffle},
};
use crate::failure::Failure;
use rand_chacha::ChaCha12Rng;
use rand_core::Rng;
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

/// How often somebody joins while a network grows.
const JOIN_EVERY: Duration = Duration::from_secs(2);
/// Of so many peers a newcomer asks the way.
const CONTACTS: usize = 3;
/// So many of those who died are still shown.
const GONE_SHOWN: usize = 16;

/// Who comes and goes.
pub struct Crowd {
    /// Where data folders are made.
    root: PathBuf,
    /// When somebody joins next, if anybody does.
    join_at: Option<Instant>,
    /// When somebody dies next.
    die_at: Option<Instant>,
}

impl Crowd {
    /// Nobody comes or goes before the stream begins.
    pub fn new(root: PathBuf) -> Crowd {
        Crowd {
            root,
            join_at: None,
            die_at: None,
        }
    }

    /// When there is something to do next.
    pub fn due(&self) -> Option<Instant> {
        self.join_at.into_iter().chain(self.die_at).min()
    }
}

impl Stage {
    /// From now on peers come and go.
    pub(super) fn let_come_and_go(&mut self, options: &Options, random: &mut ChaCha12Rng) {
        let now = Instant::now();
        self.crowd.join_at = options.grow.map(|_| now + JOIN_EVERY);
        self.crowd.die_at = self.next_death(now, options, random);
    }

    /// Does what is due.
    pub(super) async fn come_and_go(
        &mut self,
        options: &Options,
        random: &mut ChaCha12Rng,
    ) -> Result<(), Failure> {
        let now = Instant::now();
        if self.crowd.join_at.is_some_and(|at| at <= now) {
            self.join(options, random).await?;
            let more = self.living().count() < options.most();
            self.crowd.join_at = more.then(|| now + JOIN_EVERY);
        }
        if self.crowd.die_at.is_some_and(|at| at <= now) {
            self.replace_one(options, random).await?;
            self.crowd.die_at = self.next_death(now, options, random);
        }
        Ok(())
    }

    /// The places of those who run.
    fn living(&self) -> impl Iterator<Item = usize> {
        let peers = self.peers.iter().enumerate();
        let living = peers.filter(|(_, peer)| !matches!(peer.role, Role::Dead | Role::Returning));
        living.map(|(place, _)| place)
    }

    /// When somebody dies next, if deaths come by chance at the rate that was asked for.
    fn next_death(
        &self,
        now: Instant,
        options: &Options,
        random: &mut ChaCha12Rng,
    ) -> Option<Instant> {
        let per_minute = options.churn * self.living().count() as f64;
        let chance = (random.next_u32() as f64 + 1.0) / (u32::MAX as f64 + 1.0);
        let minutes = -chance.ln() / per_minute;
        (per_minute > 0.0).then(|| now + Duration::from_secs_f64((60.0 * minutes).min(3_600.0)))
    }

    /// A peer dies, and another joins.
    async fn replace_one(
        &mut self,
        options: &Options,
        random: &mut ChaCha12Rng,
    ) -> Result<(), Failure> {
        let mut mortal: Vec<usize> = self.living().collect();
        mortal.retain(|&place| !matches!(self.peers[place].role, Role::Source | Role::Receiver(0)));
        shuffle(&mut mortal, random);
        let Some(&place) = mortal.first() else {
            return Ok(());
        };
        self.kill_one(place).await?;
        let gone: Vec<usize> = (0..self.peers.len())
            .filter(|&place| self.peers[place].role == Role::Dead)
            .collect();
        // Those who are being brought back know their places.
        if gone.len() > GONE_SHOWN && self.returning.is_empty() {
            let peer = self.peers.remove(gone[0]);
            self.cast.clear(self.cast.number(peer.handle.id()));
            let journal = peer.config.journal.as_ref();
            if let Some(folder) = journal.and_then(|journal| journal.file.parent()) {
                // If it cannot be removed now, it is when the demonstration ends.
                let _ = fs::remove_dir_all(folder);
            }
        }
        self.join(options, random).await
    }

    /// Somebody joins who knows some of those who are there, and keeps silent as often as others do.
    async fn join(&mut self, options: &Options, random: &mut ChaCha12Rng) -> Result<(), Failure> {
        let key = founding::draw_key(random);
        let home = Home::make(&self.crowd.root, self.started, key, &self.network)?;
        let mut config = config(&self.network, self.clock, options, &home, random);
        config.listen = founding::free_addresses(1, options.transport)?;
        let mut known: Vec<usize> = self.living().collect();
        shuffle(&mut known, random);
        for place in known.into_iter().take(CONTACTS) {
            let known = &self.peers[place];
            (config.contacts).push((known.handle.id(), known.config.listen.clone()));
        }
        let silent = f64::from(random.next_u32()) < options.silent * f64::from(u32::MAX);
        let role = match silent {
            true => Role::Silent,
            false => Role::Receiver(self.audience.join(self.clock.now())),
        };
        self.enter((home.lock, config), role).await
    }
}
