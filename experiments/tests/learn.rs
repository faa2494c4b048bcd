//! `hamlet-lab learn` as a user runs it: what it says about bad input, and what a killed run loses.

use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

fn command(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hamlet-lab"));
    command.args(arguments.split(' ')).current_dir(folder);
    command
}

fn lab(folder: &Path, arguments: &str) -> Output {
    command(folder, arguments).output().unwrap()
}

/// What a command that must fail says.
fn problem(folder: &Path, arguments: &str) -> String {
    let output = lab(folder, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments}");
    String::from_utf8(output.stderr).unwrap()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_killed_run_goes_on_where_it_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let run = "learn --data synthetic:rows=20000,features=64 --sample 10 --json out.json";
    let mut child = command(folder, &format!("{run} --rounds 1000000"))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let state = folder.join("out.json.state");
    while !state.exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended early");
        thread::sleep(Duration::from_millis(20));
    }
    // SIGKILL on Unix: nothing is tidied up.
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!folder.join("out.json").exists());

    let outcome = |arguments: &str| {
        let output = lab(folder, &format!("{run} {arguments}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert!(!state.exists(), "a finished run leaves nothing behind");
        json(&folder.join("out.json"))
    };
    // What was saved tells its round; then the same goes two rounds on.
    let copy = folder.join("copy");
    fs::copy(&state, &copy).unwrap();
    let saved = outcome("--resume --rounds 1")["rounds"].as_u64().unwrap();
    assert!(saved > 1, "saved at round {saved}");
    fs::copy(&copy, &state).unwrap();
    let rounds = saved + 2;
    let resumed = outcome(&format!("--resume --rounds {rounds}"));
    let whole = outcome(&format!("--rounds {rounds}"));
    assert_eq!(resumed["rounds"], rounds);
    assert_eq!(resumed["curve"], whole["curve"]);
}

#[test]
fn a_killed_sweep_keeps_what_it_finished() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let sweep = |json: &str, more: &str| {
        let mut command = command(
            folder,
            "sweep --data synthetic:rows=3000,features=16 --sample 10",
        );
        let varied = [
            "--vary",
            "rounds=3 4 400",
            "--vary",
            "merge=mu rw",
            "--json",
        ];
        command.args(varied).arg(json).args(more.split_whitespace());
        command
    };
    let state = folder.join("out.json.state");
    let mut child = sweep("out.json", "").spawn().unwrap();
    let finished = || {
        let files = fs::read_dir(&state).into_iter().flatten().flatten();
        files.filter(|file| {
            file.path()
                .extension()
                .is_some_and(|ending| ending == "toml")
        })
    };
    // Runs end in any order; the first is the one that is looked at below.
    let first = state.join("0-1.toml");
    while !first.exists() || finished().count() < 2 {
        assert!(child.try_wait().unwrap().is_none(), "it ended early");
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!folder.join("out.json").exists());

    // What was finished is taken from where it was kept: it shows when that was changed.
    let text = fs::read_to_string(&first).unwrap();
    fs::write(&first, text.replace("error_mean = 0.", "error_mean = 7.")).unwrap();
    let run = |json: &str, more: &str| {
        let output = sweep(json, more).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        json_lines(&folder.join(json))
    };
    let resumed = run("out.json", "--resume");
    assert!(!state.exists(), "a finished sweep leaves nothing behind");
    let whole = run("whole.json", "");
    assert!(resumed[0]["error_mean"].as_f64() > Some(7.0));
    assert_eq!((resumed.len(), &resumed[1..]), (6, &whole[1..]));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_sweep_with_the_table_so_far() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut sweep = command(
        folder,
        "sweep --data synthetic:rows=3000,features=16 --vary",
    );
    sweep
        .arg("rounds=2 3 1000000 2000000")
        .args(["--json", "out.json"]);
    let child = sweep
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let third = folder.join("out.json.state").join("2-1.state");
    while !third.exists() {
        thread::sleep(Duration::from_millis(5));
    }
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130));
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(
        said.contains("2 of 4 runs") && said.contains("--resume goes on"),
        "{said}"
    );
    assert_eq!(json_lines(&folder.join("out.json")).len(), 2);
    // Both runs under way are kept as well.
    assert!(third.exists() && third.with_file_name("3-1.state").exists());
}

fn json_lines(path: &Path) -> Vec<Value> {
    json(path).as_array().unwrap().clone()
}

#[test]
fn scaling_that_peers_agree_on_serves_as_well_as_that_of_the_description() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // One column is a thousand times as wide as the other that matters as much, and far from zero.
    let row = |n: u32| {
        let (a, b) = (n * 37 % 101, n * 53 % 97);
        let label = if a + b > 98 { "yes" } else { "no" };
        format!("{},{}.5,{label}\n", 50_000 + 1000 * a, b)
    };
    let text = format!("a,b,type\n{}", (0..500).map(row).collect::<String>());
    fs::write(folder.join("wide.csv"), text).unwrap();
    let error = |scaling: &str| {
        let run = "learn --data wide.csv --label type --rounds 60 --json out.json --scaling";
        let output = lab(folder, &format!("{run} {scaling}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let curve = json(&folder.join("out.json"))["curve"].clone();
        curve.as_array().unwrap().last().unwrap()["error_mean"]
            .as_f64()
            .unwrap()
    };
    let (described, agreed, raw) = (error("description"), error("gossip"), error("none"));
    assert!((described - agreed).abs() < 0.02, "{described} {agreed}");
    assert!(described < 0.1 && raw > 0.2, "{described} {raw}");
}

#[test]
fn json_has_the_standard_output_to_itself() {
    let folder = tempfile::tempdir().unwrap();
    let run = "learn --data synthetic:rows=60,features=2 --rounds 2 --json -";
    let output = lab(folder.path(), run).stdout;
    let outcome: Value = serde_json::from_slice(&output).unwrap();
    assert_eq!(outcome["rounds"], 2);
}

#[test]
fn bad_input_ends_with_place_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let file = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    let rows = |kind: &str| -> String {
        let row = |n: u32| {
            format!(
                "{n},{},{},{}\n",
                n % 7,
                kind,
                if n.is_multiple_of(2) { "no" } else { "yes" }
            )
        };
        format!("a,b,c,type\n{}", (0..40).map(row).collect::<String>())
    };
    file("good.csv", &rows("1").replacen("0,0,1,no", "0,0,2,no", 1));
    file("constant.csv", &rows("1"));
    file("text.csv", &rows("1").replacen("5,5,1,", "5,five,1,", 1));
    file(
        "typo.toml",
        "data = \"good.csv\"\nlabel = \"type\"\nroundz = 5\n",
    );
    file("index.svm", "1 1:1 0:2\n");
    let says = |arguments: &str, parts: &[&str]| {
        let text = problem(folder, arguments);
        for part in parts {
            assert!(
                text.contains(part),
                "{arguments}: `{part}` is not in {text}"
            );
        }
    };
    says(
        "learn --data none.csv --label type",
        &["none.csv", "cannot read"],
    );
    says(
        "learn --data good.csv",
        &["--label is missing", "a, b, c, type"],
    );
    says(
        "learn --data good.csv --label typ",
        &["good.csv", "no column `typ`", "a, b, c, type"],
    );
    says(
        "learn --data constant.csv --label type",
        &["constant.csv, line 1, column `c`", "--without c"],
    );
    says(
        "learn --data text.csv --label type",
        &["text.csv, line 7, column `b`", "`five` is not a number"],
    );
    says(
        "learn --data good.csv --label type --peers 99",
        &["99 peers", "36"],
    );
    says("learn --data index.svm", &["index.svm, line 1", "ascend"]);
    says(
        "learn typo.toml",
        &["typo.toml", "line 3", "roundz", "rounds"],
    );
    says(
        "learn --data good.csv --label type --by b --deal community --peers 3",
        &["3 peers are fewer than the 7 communities"],
    );
    says(
        "learn --data good.csv --label type --by b --without c --test-share 0.9",
        &[
            "good.csv",
            "community",
            "has no training row",
            "leave its rows out",
        ],
    );
    says(
        "learn --data good.csv --label type --attack sign-flipp",
        &["sign-flipp", "sign-flip"],
    );
    says(
        "learn --data good.csv --label type --sampler triangles",
        &["name a graph"],
    );
    says(
        "learn --data good.csv --label type --scaling rumour",
        &["--scaling rumour", "description, gossip or none"],
    );
    says(
        "learn --data good.csv --label type --noise 2",
        &["--noise", "--attack reconstruct"],
    );
    says(
        "learn --data good.csv --label type --byzantine 0.2 --attack sign-flip --defence krm",
        &["--defence krm", "krum", "jury"],
    );

    let saved = lab(
        folder,
        "learn --data good.csv --label type --rounds 3 --save models",
    );
    assert!(
        saved.status.success(),
        "{}",
        String::from_utf8_lossy(&saved.stderr)
    );
    says("predict models a=1 d=2", &["no column `d`", "a, b, c"]);
    says(
        "predict models a=many",
        &["column `a`", "`many` is not a number"],
    );
    says("predict good.csv", &["good.csv holds no models"]);
}
