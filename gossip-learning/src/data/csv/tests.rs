//! Tables small enough to be checked by eye, mistakes in them, and nonsense.

use super::*;
use crate::{Row, Task, data::Recipe};
use proptest::prelude::*;

const PEOPLE: &str = "age,city,\"pay, gross\",Country\n\
    30,Lund,100,SE\n40,\"Aix, en P.\",1000,FR\n50,Lund,10000,SE\n60,Umeå,100000,FR\n";

fn recipe(label: &str, by: Option<&str>) -> Recipe {
    Recipe {
        label: label.to_owned(),
        by: by.map(str::to_owned),
        drop: Vec::new(),
        scaled: true,
        intercept: false,
        test_share: 0.0,
        seed: 1,
    }
}

fn people() -> Table {
    read("people.csv", PEOPLE.as_bytes(), &[]).unwrap()
}

#[test]
fn a_table_becomes_a_data_set_of_communities() {
    let recipe = Recipe {
        intercept: true,
        ..recipe("log10(pay, gross)", Some("Country"))
    };
    let (data, encoder) = people().prepare(&recipe).unwrap();
    assert_eq!(data.task, Task::Regression);
    assert_eq!(data.communities, ["FR", "SE"]);
    assert_eq!(
        data.features,
        [
            "age",
            "city=Aix, en P.",
            "city=Lund",
            "city=Umeå",
            "(intercept)"
        ]
    );
    let mut labels = data.train.labels().to_vec();
    labels.sort_by(f32::total_cmp);
    assert_eq!(labels, [2.0, 3.0, 4.0, 5.0]);
    for feature in 0..4 {
        let column: Vec<f32> = (0..4)
            .map(|row| match data.train.row(row) {
                Row::Dense(values) => values[feature],
                Row::Sparse { .. } => unreachable!("the table is dense"),
            })
            .collect();
        assert!(column.iter().sum::<f32>().abs() < 1e-5);
        assert!((column.iter().map(|v| v * v).sum::<f32>() - 4.0).abs() < 1e-4);
    }
    // A question of the same cells is the same row.
    let ask = |pairs: &[(&str, &str)]| {
        encoder.encode(
            &pairs
                .iter()
                .map(|(k, v)| (k.to_string(), v.to_string()))
                .collect(),
        )
    };
    let asked = ask(&[("age", "40"), ("city", "Aix, en P."), ("Country", "SE")]).unwrap();
    let place = data
        .train
        .labels()
        .iter()
        .position(|label| *label == 3.0)
        .unwrap();
    assert_eq!(data.train.row(place), Row::Dense(&asked.row));
    assert_eq!(asked.community.as_deref(), Some("SE"));
    assert_eq!(ask(&[]).unwrap().row, [0.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(ask(&[]).unwrap().assumed, ["age", "city"]);
    let problem = ask(&[("city", "Rome")]).unwrap_err().to_string();
    assert_eq!(
        problem,
        "people.csv, line 1, column `city`: unknown category `Rome`; ask with one of Aix, en P., Lund, Umeå"
    );
    let problem = ask(&[("Country", "IT")]).unwrap_err().to_string();
    assert_eq!(
        problem,
        "people.csv, line 1, column `Country`: unknown community `IT`; ask with one of FR, SE"
    );
    assert!(
        ask(&[("cty", "Lund")])
            .unwrap_err()
            .to_string()
            .contains("ask about age, city, Country")
    );
    assert!(
        ask(&[("age", "old")])
            .unwrap_err()
            .to_string()
            .contains("not a number")
    );
}

#[test]
fn labels_make_the_task() {
    let task = |label: &str| people().prepare(&recipe(label, None)).unwrap().0;
    assert_eq!(task("age").task, Task::Regression);
    assert_eq!(task("city").task, Task::MultiClass { classes: 3 });
    let binary = task("Country");
    assert_eq!((binary.task, binary.classes.len()), (Task::Binary, 2));
    assert!(binary.train.labels().iter().all(|label| label.abs() == 1.0));
}

#[test]
fn mistakes_name_file_line_column_and_remedy() {
    let reading = |text: &str| read("f.csv", text.as_bytes(), &[]).unwrap_err().to_string();
    assert!(
        reading("a,b\n1,2\n3,x\n").starts_with("f.csv, line 3, column `b`: `x` is not a number")
    );
    assert!(reading("a,b\n1,\n").starts_with("f.csv, line 2, column `b`: an empty cell"));
    assert!(reading("a,b\n1,2,3\n").starts_with("f.csv, line 2: 3 cells where the header names 2"));
    assert!(reading("a,a\n1,2\n").starts_with("f.csv, line 1: two columns are called `a`"));
    assert!(reading("a,b\n").contains("no rows"));
    assert!(reading("a\n1\nNaN\n").contains("not a number"));
    assert!(
        read("f.csv", &b"a\n\xff\n"[..], &[])
            .unwrap_err()
            .to_string()
            .contains("UTF-8")
    );
    let preparing = |recipe: Recipe| people().prepare(&recipe).unwrap_err().to_string();
    assert!(
        preparing(recipe("pay", None))
            .contains("no column `pay` to take as label; the columns are age, city")
    );
    assert!(preparing(recipe("age", Some("age"))).contains("not names of communities"));
    assert!(preparing(recipe("pay", None)).starts_with("people.csv, line 1: "));
    let few = read("f.csv", &b"a,b,who\n1,5,x\n2,6,x\n3,7,x\n4,8,y\n"[..], &[]).unwrap();
    // Some split keeps the one row of `y` for testing.
    let lonely = (0..20).find_map(|seed| {
        let recipe = recipe("b", Some("who"));
        let test_share = 0.25;
        let split = Recipe {
            test_share,
            seed,
            ..recipe
        };
        few.prepare(&split).err().map(|problem| problem.to_string())
    });
    assert!(
        lonely.as_ref().is_some_and(|problem| problem
            .starts_with("f.csv, line 5, column `who`: community `y` has no training row")),
        "{lonely:?}"
    );
    let constant = read("f.csv", &b"a,b\n1,2\n1,3\n"[..], &[]).unwrap();
    let problem = constant
        .prepare(&recipe("b", None))
        .unwrap_err()
        .to_string();
    assert!(
        problem.starts_with("f.csv, line 1, column `a`: holds the same value"),
        "{problem}"
    );
    // The quoted line break makes the row with the zero begin at line 4.
    let zero = read("f.csv", &b"a,b,c\n1,2,\"p\nq\"\n2,0,p\n3,0,p\n"[..], &[]).unwrap();
    let problem = zero
        .prepare(&recipe("log10(b)", None))
        .unwrap_err()
        .to_string();
    assert!(
        problem.starts_with("f.csv, line 4, column `b`"),
        "{problem}"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read("f.csv", &bytes[..], &[]);
    }

    #[test]
    fn any_table_is_prepared_or_refused(text in "[a-c]{1,2},[d-f],g\n([0-9x]{0,2},[ab\"],[0-3]\n){0,8}") {
        if let Ok(table) = read("f.csv", text.as_bytes(), &[]) {
            let _ = table.prepare(&Recipe { test_share: 0.3, ..recipe("g", Some("d")) });
        }
    }
}
