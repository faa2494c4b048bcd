//! Slanderers: they say that others do not give.

use super::{Behaviour, Place};
use hamlet_overlay::{
    io::{Class, Output},
    message::{Message, Notice, Standing},
    set::SlotSet,
};

/// Calls the slots of all honest fellows silent but one.
///
/// Whoever holds the slot that is left is owed to stand in for all the others, and the source hears that
/// nearly nothing gets through.
pub struct Slander;

impl Behaviour for Slander {
    fn output(&mut self, at: &Place, mut output: Output, outputs: &mut Vec<Output>) {
        if let Output::Send {
            frame,
            class: Class::Notice,
            ..
        } = &mut output
            && let Ok((Message::Notices(mut notices), _)) = Message::decode(frame)
        {
            for notice in &mut notices {
                if let Notice::Standing { standing, .. } = notice {
                    *standing = Standing {
                        silent: slandered(at),
                        extra: u8::MAX,
                        idle: false,
                    };
                }
            }
            *frame = Message::Notices(notices).frame();
        }
        outputs.push(output);
    }
}

/// All slots of the own cluster but its own, those of other adversaries, and the first after its own.
fn slandered(at: &Place) -> SlotSet {
    let Some(epoch) = at.view.epochs().last() else {
        return SlotSet::EMPTY;
    };
    let n = at.view.parameters.n;
    let first = epoch.own.slots_of(at.me).iter().next().unwrap_or(0);
    let honest = (1..n)
        .map(|step| (first + step) % n)
        .filter(|&slot| !at.mind.is_one_of_us(epoch.own.holder(slot)));
    honest.skip(1).collect()
}
