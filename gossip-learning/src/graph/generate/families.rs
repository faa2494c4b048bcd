//! The families of random graphs, each as the links that it draws among some peers.

use super::{Family, Links, Spec, stubs};
use crate::random::{below, chance, shuffle, unit};
use rand_chacha::ChaCha8Rng;

/// Links among `members` by the rules of the family. A community of no more peers than the degree
/// becomes complete.
pub fn links(spec: &Spec, members: &[u32], rng: &mut ChaCha8Rng) -> Links {
    let degree = spec.degree() as usize;
    if members.len() <= degree {
        return complete(members);
    }
    match spec.family() {
        Family::ErdosRenyi => erdos_renyi(members, degree, rng),
        Family::Regular | Family::Planted => regular(members, degree, rng),
        Family::BarabasiAlbert => barabasi_albert(members, degree / 2, rng),
        Family::WattsStrogatz => watts_strogatz(members, degree, spec.rewire(), rng),
        Family::Caveman => caveman(members, degree + 1, spec, rng),
        Family::Geometric => geometric(members, degree, rng),
        Family::HGraph => h_graph(members, degree / 2, rng),
    }
}

fn complete(members: &[u32]) -> Links {
    let after = |place: usize| members.iter().skip(place + 1);
    (members.iter().enumerate())
        .flat_map(|(place, a)| after(place).map(move |b| (*a, *b)))
        .collect()
}

/// Each pair with the same probability (Gilbert's G(n, p)), by skipping over the pairs left out
/// (Batagelj and Brandes 2005).
fn erdos_renyi(members: &[u32], degree: usize, rng: &mut ChaCha8Rng) -> Links {
    let p = degree as f64 / (members.len() - 1) as f64;
    if p >= 1.0 {
        return complete(members);
    }
    let mut links = Vec::with_capacity(members.len() * degree / 2);
    let (mut row, mut column) = (1usize, 0usize);
    loop {
        let skip = ((1.0 - unit(rng)).ln() / (1.0 - p).ln()) as usize;
        column = column.saturating_add(skip);
        while row < members.len() && column >= row {
            column -= row;
            row += 1;
        }
        if row >= members.len() {
            return links;
        }
        links.push((members[row], members[column]));
        column += 1;
    }
}

/// The same degree for all. If peers and degree are both odd, one peer has one link less.
fn regular(members: &[u32], degree: usize, rng: &mut ChaCha8Rng) -> Links {
    let ends = members
        .iter()
        .flat_map(|peer| vec![*peer; degree])
        .collect();
    stubs::pair(ends, |_, _| true, rng)
}

/// Each newcomer links to `links` peers, chosen in proportion to their degree (Barabási and Albert
/// 1999), beginning with a complete graph of `links` + 1.
fn barabasi_albert(members: &[u32], per_peer: usize, rng: &mut ChaCha8Rng) -> Links {
    let mut links = complete(&members[..per_peer + 1]);
    // Every peer stands here once for each of its links.
    let mut ends: Vec<u32> = links.iter().flat_map(|(a, b)| [*a, *b]).collect();
    let mut chosen = Vec::with_capacity(per_peer);
    for newcomer in &members[per_peer + 1..] {
        chosen.clear();
        while chosen.len() < per_peer {
            let peer = ends[below(rng, ends.len())];
            if !chosen.contains(&peer) {
                chosen.push(peer);
            }
        }
        for peer in &chosen {
            links.push((*newcomer, *peer));
            ends.extend([*newcomer, *peer]);
        }
    }
    links
}

/// A ring on which each peer knows the `degree` nearest, with one end of each link moved to a random
/// peer with probability `rewire` (Watts and Strogatz 1998).
fn watts_strogatz(members: &[u32], degree: usize, rewire: f64, rng: &mut ChaCha8Rng) -> Links {
    let count = members.len();
    let mut known: Vec<Vec<usize>> = vec![Vec::with_capacity(2 * degree); count];
    for place in 0..count {
        for step in 1..=degree / 2 {
            let other = (place + step) % count;
            known[place].push(other);
            known[other].push(place);
        }
    }
    let mut links = Vec::with_capacity(count * degree / 2);
    for step in 1..=degree / 2 {
        for place in 0..count {
            let mut other = (place + step) % count;
            if chance(rng, rewire) && known[place].len() + 1 < count {
                let old = other;
                while other == place || known[place].contains(&other) {
                    other = below(rng, count);
                }
                known[place].retain(|peer| *peer != old);
                known[old].retain(|peer| *peer != place);
                known[place].push(other);
                known[other].push(place);
            }
            links.push((members[place], members[other]));
        }
    }
    links
}

/// Complete caves of `cave` peers on a ring, with a share `rewire` of the links cut (the relaxed caveman
/// graph of Watts 1999, degrees kept). A share `near` of the loose ends is joined with ends of the next
/// caves, which closes triangles; the rest at random.
fn caveman(members: &[u32], cave: usize, spec: &Spec, rng: &mut ChaCha8Rng) -> Links {
    let mut members = members.to_vec();
    shuffle(rng, &mut members);
    // Caves of equal size, as near to the wished one as the number of peers allows.
    let caves = (members.len() as f64 / cave as f64).round().max(1.0) as usize;
    let bound = |number: usize| number * members.len() / caves;
    let (mut links, mut far) = (Links::with_capacity(members.len() * cave / 2), Vec::new());
    // Ends of each cave that look for one in the cave after and before it.
    let (mut after, mut before) = (vec![Vec::new(); caves], vec![Vec::new(); caves]);
    for number in 0..caves {
        let mut own = complete(&members[bound(number)..bound(number + 1)]);
        shuffle(rng, &mut own);
        let cut = stubs::round(rng, spec.rewire() * own.len() as f64).min(own.len());
        for end in own.drain(..cut).flat_map(|(a, b)| [a, b]) {
            match (caves > 1 && chance(rng, spec.near()), chance(rng, 0.5)) {
                (false, _) => far.push(end),
                (true, true) => after[number].push(end),
                (true, false) => before[number].push(end),
            }
        }
        links.extend(own);
    }
    for number in 0..caves {
        let (mut here, mut there) = (
            std::mem::take(&mut after[number]),
            std::mem::take(&mut before[(number + 1) % caves]),
        );
        shuffle(rng, &mut here);
        let both = here.len().min(there.len());
        // Ends that find no partner next door look everywhere.
        far.extend(here.drain(both..).chain(there.drain(both..)));
        links.extend(here.into_iter().zip(there));
    }
    let mut kept: Vec<(u32, u32)> = links.iter().map(|(a, b)| (*a.min(b), *a.max(b))).collect();
    kept.sort_unstable();
    let new = |a: u32, b: u32| kept.binary_search(&(a, b)).is_err();
    links.extend(stubs::pair(far, new, rng));
    links
}

/// Peers at random places of a square, linked to those nearby (Penrose 2003); the distance is what
/// gives exactly the mean degree.
fn geometric(members: &[u32], degree: usize, rng: &mut ChaCha8Rng) -> Links {
    let count = members.len();
    let places: Vec<(f64, f64)> = members.iter().map(|_| (unit(rng), unit(rng))).collect();
    let wanted = count * degree / 2;
    let mut reach = (degree as f64 / (std::f64::consts::PI * count as f64)).sqrt() * 1.1;
    let mut pairs = near(&places, reach);
    while pairs.len() < wanted && reach < 2.0 {
        reach *= 1.2;
        pairs = near(&places, reach);
    }
    pairs.sort_unstable_by(|x, y| x.0.total_cmp(&y.0).then((x.1, x.2).cmp(&(y.1, y.2))));
    pairs
        .into_iter()
        .take(wanted)
        .map(|(_, a, b)| (members[a], members[b]))
        .collect()
}

/// Pairs of places no farther apart than `reach`, with the square of their distance, found with a
/// grid of that width.
fn near(places: &[(f64, f64)], reach: f64) -> Vec<(f64, usize, usize)> {
    let side = ((1.0 / reach) as usize).clamp(1, 4096);
    let square = |at: f64| ((at * side as f64) as usize).min(side - 1);
    let mut grid = vec![Vec::new(); side * side];
    for (number, (x, y)) in places.iter().enumerate() {
        grid[square(*y) * side + square(*x)].push(number);
    }
    let mut pairs = Vec::new();
    for (a, (x, y)) in places.iter().enumerate() {
        let around = |at: usize| at.saturating_sub(1)..=(at + 1).min(side - 1);
        for row in around(square(*y)) {
            for b in around(square(*x)).flat_map(|column| &grid[row * side + column]) {
                let distance = (places[*b].0 - x).powi(2) + (places[*b].1 - y).powi(2);
                if a < *b && distance <= reach * reach {
                    pairs.push((distance, a, *b));
                }
            }
        }
    }
    pairs
}

/// The union of random Hamiltonian cycles (Law and Siu 2003), the graph of Hamlet's clusters.
fn h_graph(members: &[u32], cycles: usize, rng: &mut ChaCha8Rng) -> Links {
    let mut order = members.to_vec();
    let mut links = Links::with_capacity(members.len() * cycles);
    for _ in 0..cycles {
        shuffle(rng, &mut order);
        let next = order.iter().cycle().skip(1);
        links.extend(order.iter().copied().zip(next.copied()));
    }
    links
}
