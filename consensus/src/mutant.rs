//! Rules broken on purpose, one at a time, to show that the torture notices.
//!
//! Without the feature `mutants` no rule can be broken: [`Mutants::has`] is constantly false and the compiler
//! removes what depends on it.

use crate::fault_model::FaultModel;

/// A broken rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutant {
    /// A quorum has one member too few.
    SmallQuorum,
    /// A quorum of first votes commits at once, instead of all.
    FastQuorum,
    /// R2: a second proposal of a leader gets a second first vote.
    VoteTwice,
    /// R2: a block is voted for although views between it and its parent are not nullified.
    SkipNullifications,
    /// R4: who voted for a block abandons it without proof that it cannot be committed.
    AbandonFreely,
    /// R5: a single first vote is reason enough to support a block.
    SupportFreely,
    /// R6: who gave up a view finalizes all the same.
    FinalizeAlways,
    /// R10: commands are executed as often as they are in the log.
    ExecuteTwice,
    /// R12: what a helper sends is believed without a certificate.
    TrustHelpers,
    /// R13: votes are sent and not recorded.
    ForgetVotes,
    /// R13: votes are recorded but sent before the disk has them.
    SendFirst,
    /// Signatures of votes are not checked before they go into certificates.
    TrustVotes,
    /// Certificates that others send are not checked.
    TrustCertificates,
    /// Certificates do not say which epoch they are of.
    AnyEpoch,
    /// A member's first and second vote both count in one certificate.
    CountTwice,
    /// R9: nothing is repeated.
    NeverRepeat,
    /// R9: nobody is helped to a later view.
    NeverHelp,
    /// Time-outs do not grow.
    FixedTimeout,
    /// R4: who voted never abandons.
    NeverAbandon,
    /// R5: nobody supports a block.
    NeverSupport,
    /// S1: a block may pass over what is certified.
    NoLock,
    /// S1: a mere notarization is enough of a parent.
    BuildOnAny,
    /// S2: proposals are not handed on.
    NeverRelay,
    /// S4: the clock runs for half its time.
    HalfClock,
    /// S4: a block is finalized after a fraction of the clock's time.
    NoClock,
    /// S3: a leader's second block is no objection.
    NoObjection,
    /// S6: what is known of a view that is passed over is not passed on.
    KeepVoid,
    /// S6: who has executed a view keeps that from those who speak of it.
    KeepCommits,
    /// S6: what others may have certified is not awaited.
    NoRipening,
    /// S6: a certificate that comes late makes one that came in time forgotten.
    LateUnlocks,
    /// S8: who has answered is missed all the same.
    MissAll,
    /// S10: who begins later than others votes at once.
    NeverListen,
    /// E1: commands after the one that ends the epoch are executed.
    ExecuteAfterEnd,
    /// E2: what follows an epoch is not in the bytes that are signed.
    UnsignedSuccessors,
    /// E3: what makes an epoch the successor of another is not checked.
    TrustHandover,
    /// E4: the pieces of the state that an epoch begins with are not checked.
    TrustOrigin,
    /// E4: the state is fetched from members of the new epoch only.
    FetchFromNewOnly,
    /// E5: members vote before the state that the epoch begins with is on disk.
    BeginUnwritten,
    /// E5: what was executed is forgotten when an epoch begins.
    ForgetWindow,
    /// E5: own commands that an epoch left over are not submitted again.
    LoseLeftOver,
    /// E6: that an epoch has begun is believed without a certificate.
    TrustEstablished,
    /// E6: members leave when the epoch is over, before a quorum of the next has begun.
    LeaveEarly,
    /// E6: nothing is handed over again.
    HandOverOnce,
    /// E6, under synchrony: who lags behind is not told of the end before others leave.
    KeepEnd,
    /// E7: who was left behind is not told of later epochs.
    NeverGuide,
    /// E10: who asks another cluster goes on without waiting for its answer.
    BeginInDoubt,
    /// E11: who was taken in goes on alone all the same.
    LiveOn,
    /// E11: whatever follows the host's epoch counts as having been taken in.
    TakenAnyway,
    /// E11: commands that a cluster left over are carried into the one that took it in.
    CarryOver,
}

impl Mutant {
    /// Those of one epoch.
    pub const ALL: [Mutant; 32] = [
        Mutant::SmallQuorum,
        Mutant::FastQuorum,
        Mutant::VoteTwice,
        Mutant::SkipNullifications,
        Mutant::AbandonFreely,
        Mutant::SupportFreely,
        Mutant::FinalizeAlways,
        Mutant::ExecuteTwice,
        Mutant::TrustHelpers,
        Mutant::ForgetVotes,
        Mutant::SendFirst,
        Mutant::TrustVotes,
        Mutant::TrustCertificates,
        Mutant::AnyEpoch,
        Mutant::CountTwice,
        Mutant::NeverRepeat,
        Mutant::NeverHelp,
        Mutant::FixedTimeout,
        Mutant::NeverAbandon,
        Mutant::NeverSupport,
        Mutant::NoLock,
        Mutant::BuildOnAny,
        Mutant::NeverRelay,
        Mutant::HalfClock,
        Mutant::NoClock,
        Mutant::NoObjection,
        Mutant::KeepVoid,
        Mutant::KeepCommits,
        Mutant::NoRipening,
        Mutant::LateUnlocks,
        Mutant::MissAll,
        Mutant::NeverListen,
    ];

    /// Those of the succession of epochs, and of one epoch those that matter when members come and go.
    pub const OF_SUCCESSION: [Mutant; 18] = [
        Mutant::NeverListen,
        Mutant::ExecuteAfterEnd,
        Mutant::UnsignedSuccessors,
        Mutant::TrustHandover,
        Mutant::TrustOrigin,
        Mutant::FetchFromNewOnly,
        Mutant::BeginUnwritten,
        Mutant::ForgetWindow,
        Mutant::LoseLeftOver,
        Mutant::TrustEstablished,
        Mutant::LeaveEarly,
        Mutant::HandOverOnce,
        Mutant::KeepEnd,
        Mutant::NeverGuide,
        Mutant::BeginInDoubt,
        Mutant::LiveOn,
        Mutant::TakenAnyway,
        Mutant::CarryOver,
    ];

    /// Whether it breaks a rule that this fault model has.
    pub fn concerns(self, model: FaultModel) -> bool {
        use Mutant::*;
        match model {
            FaultModel::PartialSynchrony => {
                !(NoLock..=NeverListen).contains(&self) && self != KeepEnd
            }
            FaultModel::Synchrony => !matches!(
                self,
                // What these break is different there, or matters only while the bound on delays does not hold.
                SkipNullifications | AbandonFreely | SupportFreely | FixedTimeout
            ),
        }
    }
}

/// Which rule is broken, if any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mutants(#[cfg(any(test, feature = "mutants"))] Option<Mutant>);

#[cfg(any(test, feature = "mutants"))]
impl Mutants {
    /// One broken rule.
    pub const fn one(mutant: Mutant) -> Mutants {
        Mutants(Some(mutant))
    }

    pub(crate) fn has(self, mutant: Mutant) -> bool {
        self.0 == Some(mutant)
    }
}

#[cfg(not(any(test, feature = "mutants")))]
impl Mutants {
    pub(crate) const fn has(self, _mutant: Mutant) -> bool {
        false
    }
}
