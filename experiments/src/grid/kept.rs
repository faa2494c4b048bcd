//! The file of what was run already: one world a line, so that a grid goes on where it was stopped.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// The results of worlds, by everything that makes them: their scenario as text, with its one seed.
#[derive(Default)]
pub struct Kept {
    worlds: BTreeMap<String, Value>,
    file: Option<(PathBuf, File)>,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    scenario: String,
    run: Value,
}

impl Kept {
    /// What is in the file at `path`, which is made if there is none; without a path nothing is kept on disk.
    ///
    /// # Errors
    /// It cannot be read or written, or a line of it is damaged. The last may be: then the program was stopped
    /// while it wrote, and the line is written over.
    pub fn open(path: Option<&Path>) -> Result<Kept, String> {
        let Some(path) = path else {
            return Ok(Kept::default());
        };
        Kept::read(path)
            .map_err(|problem| format!("cannot keep results in {}: {problem}", path.display()))
    }

    fn read(path: &Path) -> io::Result<Kept> {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).open(path)?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64)?;
        let mut worlds = BTreeMap::new();
        for (number, line) in (1..).zip(text[..whole].lines()) {
            let Line { scenario, run } = serde_json::from_str(line).map_err(|problem| {
                let problem =
                    format!("line {number} is no result of a world ({problem}); delete it");
                io::Error::new(io::ErrorKind::InvalidData, problem)
            })?;
            worlds.insert(scenario, run);
        }
        let file = Some((path.to_owned(), file));
        Ok(Kept { worlds, file })
    }

    /// The result of a world, if it was run.
    pub fn get(&self, scenario: &str) -> Option<&Value> {
        self.worlds.get(scenario)
    }

    /// Adds the result of a world.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add(&mut self, scenario: String, run: Value) -> Result<(), String> {
        let line = Line { scenario, run };
        if let Some((path, file)) = &mut self.file {
            let text = serde_json::to_string(&line).map_err(|problem| problem.to_string())?;
            let written = file.write_all(format!("{text}\n").as_bytes());
            written.map_err(|problem| {
                format!("cannot keep results in {}: {problem}", path.display())
            })?;
        }
        self.worlds.insert(line.scenario, line.run);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::fs;

    #[test]
    fn what_was_run_is_there_again_and_a_torn_line_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept.jsonl");
        let mut kept = Kept::open(Some(&path)).unwrap();
        kept.add("one".to_owned(), json!(1)).unwrap();
        kept.add("two".to_owned(), json!(2)).unwrap();
        drop(kept);
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        let mut kept = Kept::open(Some(&path)).unwrap();
        assert_eq!(kept.get("one"), Some(&json!(1)));
        assert_eq!(kept.get("two"), None);
        kept.add("two".to_owned(), json!(2)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), whole);
        fs::write(&path, "nonsense\n").unwrap();
        let problem = Kept::open(Some(&path)).err().unwrap();
        assert!(
            problem.contains("line 1") && problem.contains("kept.jsonl"),
            "{problem}"
        );
    }
}
