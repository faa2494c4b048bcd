//! Places for the peers of a drawing, by forces.

use hamlet_gossip_learning::{graph::Graph, random};
use std::f32::consts::TAU;

const ROUNDS: usize = 350;
/// Squares a side of the grid that sums up what is far away.
const GRID: usize = 18;

/// A place in the unit square for each peer: links pull, peers push (with the force of ForceAtlas2:
/// Jacomy et al. 2014, in proportion to degrees over distance), a weak pull to the centre keeps
/// components together. What is more than a square away pushes as one. The same graph is drawn the same
/// way.
pub fn positions(graph: &Graph) -> Vec<[f32; 2]> {
    let mut places = start(graph);
    let mass: Vec<f32> = (0..graph.peers() as u32)
        .map(|peer| graph.degree(peer) as f32 + 1.0)
        .collect();
    let mut forces = vec![[0.0f32; 2]; graph.peers()];
    let scale = (graph.peers() as f32).sqrt();
    for round in 0..ROUNDS {
        forces.iter_mut().for_each(|force| *force = [0.0; 2]);
        push(&places, &mass, &mut forces);
        pull(graph, &places, &mut forces);
        let left = 1.0 - round as f32 / ROUNDS as f32;
        let longest = 0.35 * scale * left * left + 0.01;
        for ((place, force), mass) in places.iter_mut().zip(&forces).zip(&mass) {
            let [x, y] = [0, 1].map(|k| force[k] / mass);
            let length = x.hypot(y).max(1e-6);
            let step = (0.4 * length).min(longest) / length;
            place[0] += step * x;
            place[1] += step * y;
        }
    }
    into_square(&mut places);
    places
}

/// Communities around a circle, their peers around them at random.
fn start(graph: &Graph) -> Vec<[f32; 2]> {
    let mut rng = random::stream(1, 0x6472_6177);
    let count = graph.community_names().len().max(1) as f32;
    let scale = (graph.peers() as f32).sqrt();
    (graph.communities().iter())
        .map(|community| {
            let angle = TAU * *community as f32 / count;
            let off = [random::normal(&mut rng), random::normal(&mut rng)]
                .map(|x| x as f32 * scale / (2.0 + count));
            let away = if count > 1.0 { scale } else { 0.0 };
            [away * angle.cos() + off[0], away * angle.sin() + off[1]]
        })
        .collect()
}

fn pull(graph: &Graph, places: &[[f32; 2]], forces: &mut [[f32; 2]]) {
    for (a, b) in graph.edges() {
        let (a, b) = (a as usize, b as usize);
        for k in 0..2 {
            let off = places[b][k] - places[a][k];
            forces[a][k] += off;
            forces[b][k] -= off;
        }
    }
    for (force, place) in forces.iter_mut().zip(places) {
        (0..2).for_each(|k| force[k] -= 0.08 * place[k]);
    }
}

#[derive(Clone, Default)]
struct Square {
    peers: Vec<u32>,
    mass: f32,
    centre: [f32; 2],
}

fn push(places: &[[f32; 2]], mass: &[f32], forces: &mut [[f32; 2]]) {
    let bound = |k: usize, pick: fn(f32, f32) -> f32, from: f32| {
        places.iter().map(|place| place[k]).fold(from, pick)
    };
    let low = [0, 1].map(|k| bound(k, f32::min, f32::MAX));
    let high = [0, 1].map(|k| bound(k, f32::max, f32::MIN));
    let square_of = |place: &[f32; 2]| {
        [0, 1].map(|k| {
            let share = (place[k] - low[k]) / (high[k] - low[k]).max(1e-6);
            ((share * GRID as f32) as usize).min(GRID - 1)
        })
    };
    let mut grid = vec![Square::default(); GRID * GRID];
    for (peer, place) in places.iter().enumerate() {
        let [x, y] = square_of(place);
        let square = &mut grid[y * GRID + x];
        square.peers.push(peer as u32);
        square.mass += mass[peer];
        (0..2).for_each(|k| square.centre[k] += mass[peer] * place[k]);
    }
    for square in &mut grid {
        square.centre = square.centre.map(|sum| sum / square.mass.max(1e-6));
    }
    for (peer, place) in places.iter().enumerate() {
        let [x, y] = square_of(place);
        let mut repel = |from: &[f32; 2], other: f32| {
            let off = [0, 1].map(|k| place[k] - from[k]);
            let strength = 2.0 * mass[peer] * other / (off[0] * off[0] + off[1] * off[1]).max(1e-3);
            (0..2).for_each(|k| forces[peer][k] += strength * off[k]);
        };
        for (number, square) in grid
            .iter()
            .enumerate()
            .filter(|(_, square)| square.mass > 0.0)
        {
            let near = (number % GRID).abs_diff(x) <= 1 && (number / GRID).abs_diff(y) <= 1;
            if near {
                let others = square.peers.iter().filter(|other| **other as usize != peer);
                others.for_each(|other| repel(&places[*other as usize], mass[*other as usize]));
            } else {
                repel(&square.centre, square.mass);
            }
        }
    }
}

fn into_square(places: &mut [[f32; 2]]) {
    let reach = |k: usize| {
        let mut along: Vec<f32> = places.iter().map(|place| place[k]).collect();
        along.sort_unstable_by(f32::total_cmp);
        match (along.first(), along.last()) {
            (Some(low), Some(high)) => (*low, *high),
            _ => (0.0, 1.0),
        }
    };
    let reach = [reach(0), reach(1)];
    let side = reach
        .iter()
        .map(|(low, high)| high - low)
        .fold(1e-6, f32::max);
    for place in places {
        *place = [0, 1].map(|k| 0.5 + (place[k] - 0.5 * (reach[k].0 + reach[k].1)) / side);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hamlet_gossip_learning::graph::{Spec, generate::even_communities};

    #[test]
    fn communities_lie_apart_in_the_unit_square() {
        let spec: Spec = "caveman:degree=6,between=0.02".parse().unwrap();
        let graph = spec.generate(&even_communities(150, 3), 1).unwrap();
        let places = positions(&graph);
        assert_eq!(places, positions(&graph));
        assert!(places.iter().flatten().all(|at| (0.0..=1.0).contains(at)));
        let distance =
            |a: usize, b: usize| (places[a][0] - places[b][0]).hypot(places[a][1] - places[b][1]);
        let mean = |same: bool| {
            let pairs = (0..150).flat_map(|a| (0..a).map(move |b| (a, b)));
            let chosen: Vec<f32> = pairs
                .filter(|(a, b)| (a / 50 == b / 50) == same)
                .map(|(a, b)| distance(a, b))
                .collect();
            chosen.iter().sum::<f32>() / chosen.len() as f32
        };
        assert!(
            mean(true) < 0.7 * mean(false),
            "{} {}",
            mean(true),
            mean(false)
        );
    }

    #[test]
    fn nobody_and_one_peer_have_a_layout() {
        assert!(positions(&Graph::new(vec![], vec![]).unwrap()).is_empty());
        assert_eq!(
            positions(&Graph::new(vec![0], vec![]).unwrap()),
            [[0.5, 0.5]]
        );
    }
}
