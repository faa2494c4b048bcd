//! commonware 3299: documentation and code drift. The specification's rules and numbers are held against the code.

use hamlet_consensus::{
    Terms, block, command,
    member::MAX_MEMBERS,
    message,
    replica::{MAX_PAST, OPEN_VIEWS, VIEWS_AHEAD, VIEWS_PER_BOUND},
};
use std::{fs, path::Path};

fn specification() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol.md");
    let text = fs::read_to_string(&path).unwrap();
    let (_, agreement) = text.split_once("# Agreement inside a cluster").unwrap();
    agreement.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn code(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        text += &if path.is_dir() {
            code(&path)
        } else {
            fs::read_to_string(&path).unwrap()
        };
    }
    text
}

#[test]
fn every_rule_is_specified_and_has_its_place_in_the_code() {
    let (specification, code) = (
        specification(),
        code(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")),
    );
    let names = |text: &str, rule: &str| {
        (text.match_indices(rule))
            .any(|(at, _)| !text[at + rule.len()..].starts_with(|next: char| next.is_ascii_digit()))
    };
    for (letter, last) in [("R", 14), ("S", 10), ("E", 11), ("B", 4)] {
        for number in 1..=last {
            let rule = format!("{letter}{number}");
            assert!(specification.contains(&format!("- **{rule} ")), "{rule}");
            assert!(names(&code, &rule), "{rule} is not named in the code");
        }
        let none = format!("{letter}{}", last + 1);
        assert!(
            !names(&specification, &none) && !names(&code, &none),
            "{none}"
        );
    }
}

#[test]
fn the_specification_states_the_bounds_of_the_code() {
    let specification = specification();
    let kib = |bytes: usize| format!("{} KiB", bytes >> 10);
    for said in [
        format!("{MAX_MEMBERS} members; {VIEWS_AHEAD} views ahead of the own are listened to"),
        format!(
            "blocks up to 1,024 commands and {}",
            kib(block::MAX_BLOCK_BYTES)
        ),
        format!("commands up to {}", kib(command::MAX_COMMAND_BYTES)),
        format!("at most {} ahead", command::COMMAND_WINDOW),
        format!("up to {} certificates", message::MAX_CERTIFICATES),
        format!("up to {} commands", message::MAX_COMMANDS),
        format!("fit into {}", kib(message::MAX_TAIL_BYTES)),
        format!("pieces of {}", kib(message::PIECE_BYTES)),
        format!("every {}th by default", Terms::default().snapshot_every),
        format!("more than {OPEN_VIEWS} views"),
        format!("more than {VIEWS_PER_BOUND} times within Δ"),
        format!("the last {MAX_PAST} are remembered"),
    ] {
        assert!(
            specification.contains(&said),
            "the specification does not say: {said}"
        );
    }
    assert_eq!(block::MAX_BLOCK_COMMANDS, 1024);
}
