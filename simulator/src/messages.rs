//! The messages under way: each held once, however many receivers it has.

use hamlet_overlay::{hash::Hash, io::Class, wire::Frame, work::Work};

/// A message under way.
pub struct Message {
    /// The sender's index.
    pub from: usize,
    /// What crosses the link.
    pub frame: Frame,
    /// What it is for.
    pub class: Class,
    /// BLAKE3 over sender, class, head, and the leaf of the body: what the audit notes of it.
    pub content: Hash,
    /// To how many receivers it has yet to come.
    copies: u32,
}

/// The messages under way, by number. Numbers are used again.
#[derive(Default)]
pub struct Messages {
    messages: Vec<Option<Message>>,
    free: Vec<u32>,
}

impl Messages {
    /// Takes in a message that goes to so many receivers.
    pub fn insert(
        &mut self,
        work: &dyn Work,
        from: usize,
        frame: Frame,
        class: Class,
        copies: usize,
    ) -> u32 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(from as u32).to_le_bytes());
        hasher.update(&[class as u8]);
        hasher.update(&(frame.len() as u32).to_le_bytes());
        hasher.update(&frame.head);
        if !frame.body.is_empty() {
            hasher.update(&work.leaf(&frame.body));
        }
        let message = Message {
            from,
            frame,
            class,
            content: Hash(*hasher.finalize().as_bytes()),
            copies: copies as u32,
        };
        match self.free.pop() {
            Some(number) => {
                self.messages[number as usize] = Some(message);
                number
            }
            None => {
                self.messages.push(Some(message));
                self.messages.len() as u32 - 1
            }
        }
    }

    /// The message of this number.
    pub fn get(&self, number: u32) -> Option<&Message> {
        self.messages.get(number as usize)?.as_ref()
    }

    /// One receiver fewer: it came, or was lost. The last one ends the message.
    pub fn done(&mut self, number: u32) {
        let Some(place) = self.messages.get_mut(number as usize) else {
            return;
        };
        if let Some(message) = place {
            message.copies = message.copies.saturating_sub(1);
            if message.copies == 0 {
                *place = None;
                self.free.push(number);
            }
        }
    }

    /// How many are under way.
    pub fn len(&self) -> usize {
        self.messages.len() - self.free.len()
    }

    /// Whether none is under way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hamlet_overlay::work::Compute;

    #[test]
    fn a_message_lasts_until_its_last_receiver() {
        let mut messages = Messages::default();
        let frame = Frame::received("hello".into());
        let first = messages.insert(&Compute, 3, frame.clone(), Class::Live, 2);
        let second = messages.insert(&Compute, 4, frame, Class::Live, 1);
        let content = |number| messages.get(number).map(|message| message.content);
        assert_ne!(content(first), content(second), "the sender counts");
        messages.done(first);
        assert!(messages.get(first).is_some());
        messages.done(first);
        assert!(messages.get(first).is_none());
        assert_eq!(messages.len(), 1);
        let third = messages.insert(&Compute, 5, Frame::default(), Class::Live, 1);
        assert_eq!(third, first, "the number is used again");
    }
}
