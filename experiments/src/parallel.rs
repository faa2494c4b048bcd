//! Independent pieces of work on all processors.

use crate::interrupt;
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// How many processors there are.
pub fn processors() -> usize {
    thread::available_parallelism().map_or(1, |count| count.get())
}

/// The results of `work` on each item, in the order of the items, from as many threads as there are
/// processors. After Ctrl-C nothing more is begun, and what was not begun is missing.
pub fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    map_on(processors(), items, work)
}

/// The same, from so many threads.
pub fn map_on<T: Sync, R: Send>(
    threads: usize,
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let serve = || {
        let mut done = Vec::new();
        while !interrupt::asked() {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(place) else { break };
            done.push((place, work(item)));
        }
        done
    };
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let threads = threads.min(items.len());
        let hands: Vec<_> = (0..threads).map(|_| scope.spawn(serve)).collect();
        let joined = hands.into_iter().map(|hand| hand.join());
        joined
            .flat_map(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_come_in_the_order_of_the_items() {
        let items: Vec<u64> = (0..100).collect();
        let squares: Vec<u64> = items.iter().map(|item| item * item).collect();
        assert_eq!(super::map(&items, |item| item * item), squares);
    }
}
