//! How Byzantine peers behave: values that stand between a real peer and the world.
//!
//! A Byzantine peer runs the same [`Peer`](hamlet_overlay::peer::Peer) as an honest one, with its own key
//! only. Its behaviour sees every input before the peer does and every output before the world does, and may
//! change, drop or add any. Behaviours compose by [`Chain`].

mod beg;
mod withhold;

pub use beg::Beg;
pub use withhold::Withhold;

use crate::settings::BehaviourKind;
use hamlet_overlay::{
    identity::PeerId,
    io::{Input, Output},
    time::Time,
    view::View,
};

/// What a behaviour knows of its place.
pub struct Place<'a> {
    /// The time.
    pub now: Time,
    /// The Byzantine peer itself.
    pub me: PeerId,
    /// What its peer knows of the network.
    pub view: &'a View,
}

/// What a Byzantine peer does differently. What is not overridden it does as an honest peer.
pub trait Behaviour: Send {
    /// Sees an input; returns what the real peer gets to see of it. What it adds to `outputs` goes out.
    fn input(&mut self, _at: &Place, input: Input, _outputs: &mut Vec<Output>) -> Option<Input> {
        Some(input)
    }

    /// Sees an output of the real peer, and puts into `outputs` what goes out in its stead.
    fn output(&mut self, _at: &Place, output: Output, outputs: &mut Vec<Output>) {
        outputs.push(output);
    }
}

/// Several behaviours at once: the first stands next to the real peer, the last next to the world.
pub struct Chain(pub Vec<Box<dyn Behaviour>>);

impl Behaviour for Chain {
    fn input(&mut self, at: &Place, input: Input, outputs: &mut Vec<Output>) -> Option<Input> {
        let mut input = Some(input);
        for place in (0..self.0.len()).rev() {
            let mut added = Vec::new();
            input = self.0[place].input(at, input?, &mut added);
            for output in added {
                self.outward(place + 1, at, output, outputs);
            }
        }
        input
    }

    fn output(&mut self, at: &Place, output: Output, outputs: &mut Vec<Output>) {
        self.outward(0, at, output, outputs);
    }
}

impl Chain {
    /// Takes an output past the behaviours from `place` on.
    fn outward(&mut self, place: usize, at: &Place, output: Output, outputs: &mut Vec<Output>) {
        let mut passing = vec![output];
        for behaviour in &mut self.0[place..] {
            let mut next = Vec::new();
            for output in passing {
                behaviour.output(at, output, &mut next);
            }
            passing = next;
        }
        outputs.append(&mut passing);
    }
}

impl BehaviourKind {
    /// The behaviour of one more peer of this kind; `None` for an honest one.
    pub fn start(self) -> Option<Box<dyn Behaviour>> {
        match self {
            BehaviourKind::Honest => None,
            BehaviourKind::Withholding => Some(Box::new(Withhold)),
            BehaviourKind::Silent => {
                let both: Vec<Box<dyn Behaviour>> = vec![Box::new(Withhold), Box::<Beg>::default()];
                Some(Box::new(Chain(both)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hamlet_overlay::{io::Class, wire::Frame};

    /// Doubles what it sees.
    struct Twice;

    impl Behaviour for Twice {
        fn input(&mut self, _: &Place, input: Input, outputs: &mut Vec<Output>) -> Option<Input> {
            outputs.push(Output::WakeAt(Time::ZERO));
            Some(input)
        }

        fn output(&mut self, _: &Place, output: Output, outputs: &mut Vec<Output>) {
            outputs.extend([output.clone(), output]);
        }
    }

    fn send(class: Class) -> Output {
        Output::Send {
            to: Vec::new(),
            frame: Frame::default(),
            class,
            stream: None,
            segment: 0,
        }
    }

    #[test]
    fn chained_behaviours_see_what_those_before_them_let_out() {
        let network = crate::world::test_scene().network;
        let me = network.clusters()[0].members()[0];
        let view = View::founding(&network, me).unwrap();
        let at = Place {
            now: Time::ZERO,
            me,
            view: &view,
        };
        let outcome = |chain: Vec<Box<dyn Behaviour>>| {
            let mut chain = Chain(chain);
            let mut outputs = Vec::new();
            for class in Class::ALL {
                chain.output(&at, send(class), &mut outputs);
            }
            let sent = outputs.len();
            assert!(chain.input(&at, Input::Wake, &mut outputs).is_some());
            (sent, outputs.len() - sent)
        };
        assert_eq!(outcome(vec![Box::new(Withhold), Box::new(Twice)]), (4, 1));
        assert_eq!(outcome(vec![Box::new(Twice), Box::new(Twice)]), (24, 3));
    }
}
