//! What a sweep keeps on disk while it lasts: the lines of finished runs, and the state of those under way.

use super::{Job, line::Line};
use crate::learn::options::Options;
use serde::{Deserialize, Serialize};
use std::{
    error::Error,
    fs, io,
    path::{Path, PathBuf},
};

/// The folder beside the sweep's output, if there is one to keep anything beside.
pub struct Kept {
    folder: Option<PathBuf>,
    resume: bool,
}

/// A finished run.
#[derive(Serialize, Deserialize)]
struct Finished {
    /// Its options, as a TOML scenario.
    scenario: String,
    line: Line,
}

impl Kept {
    /// Makes the folder. What lies in it counts only if `resume` is set.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn beside(output: Option<&Path>, resume: bool) -> Result<Kept, Box<dyn Error>> {
        let folder = output
            .filter(|path| *path != Path::new("-"))
            .map(|path| path.with_added_extension("state"));
        if let Some(folder) = &folder {
            fs::create_dir_all(folder).map_err(|e| cannot("make", folder, &e))?;
        } else if resume {
            return Err("--resume goes on from what lies beside --json: name its file".into());
        }
        Ok(Kept { folder, resume })
    }

    /// Whether runs go on from what is kept.
    pub fn resumes(&self) -> bool {
        self.resume
    }

    /// Whether anything is kept.
    pub fn anything(&self) -> bool {
        self.folder.is_some()
    }

    /// The line of a run that is finished already.
    ///
    /// # Errors
    /// When it is of a run with other options, or damaged.
    pub fn line(&self, job: Job, options: &Options) -> Result<Option<Line>, Box<dyn Error>> {
        let Some(path) = self
            .finished(job)
            .filter(|path| self.resume && path.exists())
        else {
            return Ok(None);
        };
        let place = path.display();
        let text = fs::read_to_string(&path).map_err(|e| cannot("read", &path, &e))?;
        let kept: Finished = toml::from_str(&text).map_err(|problem| {
            format!("{place} is damaged: {problem}: remove it, and this run is done again")
        })?;
        if kept.scenario != toml::to_string(options)? {
            return Err(format!(
                "{place} was kept by a sweep with other options; go on with the same, or start anew without \
                 --resume; it had:\n{}",
                kept.scenario
            )
            .into());
        }
        Ok(Some(kept.line))
    }

    /// Where a run under way saves itself.
    pub fn state(&self, job: Job) -> Option<PathBuf> {
        self.file(job, "state")
    }

    /// Keeps a finished run's line in place of its state. A crash leaves one of them.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, job: Job, options: &Options, line: &Line) -> Result<(), Box<dyn Error>> {
        let (Some(path), Some(state)) = (self.finished(job), self.state(job)) else {
            return Ok(());
        };
        let scenario = toml::to_string(options)?;
        let line = line.clone();
        let text = toml::to_string(&Finished { scenario, line })?;
        let beside = path.with_added_extension("new");
        fs::write(&beside, text)
            .and_then(|()| fs::rename(&beside, &path))
            .map_err(|e| cannot("write", &path, &e))?;
        remove(&state)
    }

    /// Removes everything: the output holds it.
    ///
    /// # Errors
    /// When something cannot be removed, also because it is not this sweep's.
    pub fn clear(&self, jobs: &[Job]) -> Result<(), Box<dyn Error>> {
        for job in jobs {
            let files = [self.finished(*job), self.state(*job)];
            files.iter().flatten().try_for_each(|path| remove(path))?;
        }
        match &self.folder {
            Some(folder) => fs::remove_dir(folder).map_err(|e| cannot("remove", folder, &e)),
            None => Ok(()),
        }
    }

    fn finished(&self, job: Job) -> Option<PathBuf> {
        self.file(job, "toml")
    }

    fn file(&self, job: Job, ending: &str) -> Option<PathBuf> {
        let Job { place, seed } = job;
        let folder = self.folder.as_ref()?;
        Some(folder.join(format!("{place}-{seed}.{ending}")))
    }
}

fn remove(path: &Path) -> Result<(), Box<dyn Error>> {
    match fs::remove_file(path) {
        Err(problem) if problem.kind() != io::ErrorKind::NotFound => {
            Err(cannot("remove", path, &problem))
        }
        _ => Ok(()),
    }
}

fn cannot(what: &str, path: &Path, problem: &io::Error) -> Box<dyn Error> {
    format!("cannot {what} {}: {problem}", path.display()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        Line {
            values: vec!["sign-flip".to_owned()],
            graph: None,
            error_mean: 0.1 + 0.2,
            error_worst_community: f64::NAN,
            error_lowest: f64::INFINITY,
            global_error_mean: 1e-300,
            local_settled_round: 3.0,
            global_settled_round: 4.0,
        }
    }

    #[test]
    fn a_finished_line_comes_back_as_it_was_for_the_same_options_only() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out.json");
        let job = Job { place: 2, seed: 7 };
        let options = Options::default();
        let kept = Kept::beside(Some(&output), true).unwrap();
        assert!(kept.line(job, &options).unwrap().is_none());
        kept.keep(job, &options, &line()).unwrap();
        let found = kept.line(job, &options).unwrap().unwrap();
        assert_eq!(format!("{found:?}"), format!("{:?}", line()));
        let other = Options {
            rounds: Some(5),
            ..Options::default()
        };
        let problem = kept.line(job, &other).unwrap_err().to_string();
        assert!(problem.contains("2-7.toml") && problem.contains("other options"));
        let anew = Kept::beside(Some(&output), false).unwrap();
        assert!(anew.line(job, &options).unwrap().is_none());
        kept.clear(&[job]).unwrap();
        assert!(!output.with_added_extension("state").exists());
    }

    #[test]
    fn nothing_is_kept_beside_nothing() {
        let kept = Kept::beside(Some(Path::new("-")), false).unwrap();
        assert!(!kept.anything());
        assert!(Kept::beside(None, true).is_err());
    }
}
