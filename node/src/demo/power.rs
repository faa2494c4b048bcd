//! What people do to the peers of a running demonstration. A peer that they silence or kill counts until
//! then; what it does afterwards is for looking at.

use super::{
    cast::{Act, Order, State},
    stage::{Player, Returned, Role, STREAM, Stage, take_and_forget},
};
use crate::{
    driver::{self, DriverConfig, Fault, PeerHandle, StartError},
    failure::Failure,
    transport::TransportError,
};
use std::time::Duration;
use tokio::{sync::oneshot, time::Instant};

/// How long the system may take to free the port and the journal of a peer that was killed.
const PORT_FREE: Duration = Duration::from_secs(5);
const TRY_AGAIN: Duration = Duration::from_millis(100);

impl Stage {
    /// Does what a person wants done, and says how it went.
    pub(super) async fn obey(&mut self, order: Order) -> Result<(), Failure> {
        let Order { peer, act, answer } = order;
        let number = |player: &Player| self.cast.number(player.handle.id());
        let Some(place) = self.peers.iter().position(|player| number(player) == peer) else {
            // Whoever asked may have gone, here and below.
            let _ = answer.send(Err(format!("there is no peer {peer}")));
            return Ok(());
        };
        let role = self.peers[place].role;
        let done = match (act, role) {
            (_, Role::Source) => Err("the source stays: without it there is nothing to watch"),
            (Act::Silence, Role::Receiver(_) | Role::Returned) => Ok(self.silence(place).await?),
            (Act::Silence, Role::Silent) => Ok(()),
            (Act::Speak, Role::Silent) => Ok(self.speak(place).await?),
            (Act::Speak, Role::Receiver(_) | Role::Returned) => Ok(()),
            (Act::Kill, Role::Receiver(_) | Role::Returned | Role::Silent) => {
                Ok(self.kill_one(place).await?)
            }
            (Act::Revive, Role::Dead) => {
                self.revive(place, answer);
                return Ok(());
            }
            (Act::Revive, Role::Receiver(_) | Role::Returned | Role::Silent) => Ok(()),
            (Act::Silence | Act::Speak, Role::Dead) => Err("it is dead; bring it back first"),
            (Act::Kill, Role::Dead) => Ok(()),
            (_, Role::Returning) => Err("it is starting; try again in a moment"),
        };
        let _ = answer.send(done.map_err(str::to_owned));
        Ok(())
    }

    async fn silence(&mut self, place: usize) -> Result<(), Failure> {
        self.count_no_more(place).await?;
        let player = &mut self.peers[place];
        player.handle.misbehave(Some(Fault::Silent)).await?;
        player.role = Role::Silent;
        self.turn(place, State::Silent);
        Ok(())
    }

    async fn speak(&mut self, place: usize) -> Result<(), Failure> {
        let player = &mut self.peers[place];
        player.handle.misbehave(None).await?;
        player.role = Role::Returned;
        self.turn(place, State::Honest);
        Ok(())
    }

    /// Ends a peer at once, without a word to anybody.
    pub(super) async fn kill_one(&mut self, place: usize) -> Result<(), Failure> {
        self.count_no_more(place).await?;
        let player = &mut self.peers[place];
        player.role = Role::Dead;
        player.handle.kill().await;
        self.killed += 1;
        self.turn(place, State::Dead);
        Ok(())
    }

    fn revive(&mut self, place: usize, answer: oneshot::Sender<Result<(), String>>) {
        let player = &mut self.peers[place];
        player.role = Role::Returning;
        player.config.fault = None;
        let config = player.config.clone();
        self.returning.spawn(async move {
            Returned {
                place,
                started: restart(config).await,
                answer,
            }
        });
    }

    /// Seats a peer that was brought back.
    pub(super) async fn seat_again(&mut self, returned: Returned) -> Result<(), Failure> {
        let Returned {
            place,
            started,
            answer,
        } = returned;
        let player = &mut self.peers[place];
        let done = match started {
            Ok(handle) => {
                player.handle = handle;
                player.role = Role::Returned;
                let segments = player.handle.subscribe(STREAM).await?;
                self.watchers.spawn(take_and_forget(segments));
                self.cast.seat(&player.handle, State::Honest);
                Ok(())
            }
            Err(error) => {
                player.role = Role::Dead;
                Err(error.to_string())
            }
        };
        let _ = answer.send(done);
        Ok(())
    }

    /// Closes a peer's account, if it has one.
    async fn count_no_more(&mut self, place: usize) -> Result<(), Failure> {
        let player = &self.peers[place];
        if let Role::Receiver(number) = player.role {
            let account = self.account(player).await?;
            self.past.push(account);
            self.audience.died(number, self.clock.now());
        }
        Ok(())
    }

    fn turn(&self, place: usize, state: State) {
        let number = self.cast.number(self.peers[place].handle.id());
        self.cast.turn(number, state);
    }
}

async fn restart(config: DriverConfig) -> Result<PeerHandle, StartError> {
    let deadline = Instant::now() + PORT_FREE;
    loop {
        match driver::start(config.clone()).await {
            Err(StartError::Transport(TransportError::Listen { .. }) | StartError::Journal(_))
                if Instant::now() < deadline =>
            {
                tokio::time::sleep(TRY_AGAIN).await;
            }
            started => return started,
        }
    }
}
