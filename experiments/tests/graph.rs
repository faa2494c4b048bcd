//! `hamlet-lab graph` as a user runs it.

use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn lab(folder: &Path, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hamlet-lab"))
        .args(arguments.split(' '))
        .current_dir(folder)
        .output()
        .unwrap()
}

fn measures(folder: &Path, arguments: &str) -> Value {
    let output = lab(folder, &format!("graph measure {arguments} --json -"));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_graph_survives_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let made = "caveman:degree=6,between=0.05 --peers 120 --communities 3 --seed 4";
    let direct = measures(folder.path(), made);
    assert_eq!(direct["communities"], 3);
    assert_eq!(
        direct["diameter"]["at_least"],
        direct["diameter"]["at_most"]
    );
    for file in ["cave.txt", "cave.graphml"] {
        let output = lab(folder.path(), &format!("graph generate {made} -o {file}"));
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(measures(folder.path(), file), direct, "{file}");
    }
    let output = lab(
        folder.path(),
        "graph draw cave.graphml --mark unsupported -o cave.svg",
    );
    assert!(output.status.success());
    let svg = fs::read_to_string(folder.path().join("cave.svg")).unwrap();
    assert_eq!(svg.matches("<circle").count(), 120 + 3);
}

#[test]
fn mistakes_end_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("broken.graphml"),
        "<graphml>\n<graph>\n<node/>",
    )
    .unwrap();
    fs::write(folder.path().join("broken.txt"), "1 2\n1 2 3 4\n").unwrap();
    for (arguments, remedy) in [
        ("graph measure cavemen", "there is no file of this name"),
        ("graph measure broken.graphml", "broken.graphml, line 3"),
        ("graph measure broken.txt", "broken.txt, line 2"),
        ("graph measure planted --communities 0", "ask for 1 to 1000"),
        ("graph draw regular --peers 20000", "draw at most"),
        (
            "graph generate regular -o no/such/folder/file",
            "cannot write no/such/folder/file",
        ),
    ] {
        let output = lab(folder.path(), arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && told.contains(remedy),
            "{arguments}: {told}"
        );
    }
}
