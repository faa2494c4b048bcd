//! One honest member of the model, and what an event makes of it.

use super::{
    super::{Replica, peers::Peers},
    Event, Packet,
};
use crate::{
    Application, Epoch, Input, Output, Settings,
    application::BadSnapshot,
    block::BlockId,
    check::Verdict,
    epoch::{Height, View},
    hash,
    identity::{PeerId, Signature, Signer, Statement},
    member::Member,
    time::Time,
};
use std::{fmt, sync::Arc};

/// Remembers the commands that it executed.
#[derive(Clone, Default, Hash)]
pub(super) struct Words(pub Vec<u8>);

impl Application for Words {
    fn execute(&mut self, _height: Height, command: &[u8]) -> Vec<u8> {
        self.0.extend_from_slice(command);
        Vec::new()
    }

    fn snapshot(&self) -> Vec<u8> {
        self.0.clone()
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), BadSnapshot> {
        self.0 = snapshot.to_vec();
        Ok(())
    }
}

/// Signs by saying who it is: in the model nobody speaks for others.
pub(super) struct Name(pub Member);

impl Signer for Name {
    fn id(&self) -> PeerId {
        PeerId([self.0; 32])
    }

    fn sign(&self, _statement: Statement<'_>) -> Signature {
        Signature([self.0; 64])
    }
}

/// An honest member.
pub(super) struct Local {
    pub replica: Replica<Words>,
    pub digest: u64,
    /// What it did that no honest member's fellow should see.
    pub broken: Option<&'static str>,
    /// Whether it proved somebody's lies.
    pub accuses: bool,
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let replica = &self.replica;
        write!(f, "member {} in view {}: ", replica.me, replica.view)?;
        for (view, open) in &replica.views {
            let votes: Vec<_> = open.own.votes.iter().map(|signed| signed.vote).collect();
            write!(f, "{view}: {votes:?} ")?;
        }
        write!(f, "executed {:?}", replica.log.application.0)
    }
}

impl Local {
    /// A member that wants something ordered; what it sends goes to `sent`.
    pub fn start(me: Member, epoch: &Arc<Epoch>, liar: Member, sent: &mut Vec<Packet>) -> Local {
        let signer = Arc::new(Name(me));
        let start = (epoch.clone(), signer, Words::default());
        let settings = Settings::default();
        let replica = Replica::new(start.0, start.1, start.2, settings, &[], Time::ZERO).unwrap();
        let mut local = Local {
            replica,
            digest: 0,
            broken: None,
            accuses: false,
        };
        local.handle(Input::Submit(vec!["x".into()]), liar, sent);
        local
    }

    /// The member after `event`, and what it sends.
    pub fn after(&self, event: &Event, liar: Member) -> (Local, Vec<Packet>) {
        let mut local = Local {
            replica: self.replica.clone(),
            digest: 0,
            broken: self.broken,
            accuses: self.accuses,
        };
        let now = Time::ZERO;
        let input = match event {
            Event::Hear(packet) => Input::Message {
                from: packet.from,
                message: packet.message.clone(),
            },
            Event::TimeOut => {
                local.replica.timing.deadline = Some(now);
                Input::Wake
            }
            Event::Late => {
                local.replica.timing.late = Some(now);
                Input::Wake
            }
            Event::Repeat => {
                local.replica.timing.repeat = Some(now);
                Input::Wake
            }
        };
        let mut sent = Vec::new();
        local.handle(input, liar, &mut sent);
        (local, sent)
    }

    fn handle(&mut self, input: Input, liar: Member, sent: &mut Vec<Packet>) {
        let me = self.replica.me;
        // How often members are answered depends on time alone.
        self.replica.peers = Peers::new(self.replica.epoch.size());
        self.replica.handle(Time::ZERO, input);
        while let Some(output) = self.replica.poll() {
            match output {
                Output::Send { to, message } => sent.extend(
                    (to.iter().filter(|to| *to != liar))
                        .filter_map(|to| Packet::new(to, me, message.clone())),
                ),
                Output::Check(check) => {
                    let valid = vec![true; check.len()];
                    let id = check.id;
                    self.replica
                        .handle(Time::ZERO, Input::Checked(Verdict { id, valid }));
                }
                Output::Evidence(evidence) => {
                    if evidence.culprit == Name(liar).id() {
                        self.accuses = true;
                    } else {
                        self.broken = Some("an honest member is accused");
                    }
                }
                Output::Forked(_) => self.broken = Some("two branches are committed"),
                _ => {}
            }
        }
        self.digest = self.replica.digest() ^ u64::from(self.broken.is_some());
    }

    pub fn me(&self) -> Member {
        self.replica.me
    }

    pub fn has_settled(&self, view: View) -> bool {
        view <= self.replica.floor()
    }

    pub fn view(&self) -> View {
        self.replica.view
    }

    /// Whether it waits for something to be decided.
    pub fn is_busy(&self) -> bool {
        self.replica.timing.deadline.is_some()
    }

    fn has_given_up(&self) -> bool {
        let open = self.replica.views.get(&self.replica.view);
        open.is_some_and(|open| open.given_up)
    }

    pub fn may_time_out(&self) -> bool {
        self.is_busy() && !self.has_given_up()
    }

    /// Whether it leads its view and could propose an empty block if it waited.
    pub fn may_be_late(&self) -> bool {
        let replica = &self.replica;
        let open = replica.views.get(&replica.view);
        replica.epoch.leader(replica.view) == replica.me
            && self.may_time_out()
            && !replica.timing.is_late(replica.now)
            && open.is_none_or(|open| open.own.first().is_none())
    }

    /// The block that it executed at a height.
    pub fn executed(&self, height: Height) -> Option<BlockId> {
        (self.replica.log.at(height)).map(|executed| executed.block.id())
    }

    /// Blocks that it has heard of.
    pub fn blocks(&self) -> impl Iterator<Item = BlockId> {
        let open = (self.replica.views.values())
            .filter_map(|open| open.proposal.as_ref().map(|block| block.id()));
        let executed = self.replica.log.after(0).into_iter().flatten();
        open.chain(executed.map(|executed| executed.block.id()))
    }

    pub fn words(&self) -> &[u8] {
        &self.replica.log.application.0
    }

    pub fn height(&self) -> Height {
        self.replica.height()
    }
}

/// An epoch of four whose members sign with their names.
pub(super) fn epoch() -> Epoch {
    let members = (0..4).map(|member| Name(member).id()).collect();
    let network = hash::Hash([1; 32]);
    Epoch::new(
        network,
        hash::Hash([2; 32]),
        0,
        crate::Terms::default(),
        members,
    )
    .unwrap()
}
