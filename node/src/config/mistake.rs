//! A mistake in a file that people write: where it is, and what to do.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// A mistake in a file that people write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    path: PathBuf,
    line: usize,
    column: usize,
    problem: String,
}

impl Mistake {
    /// A mistake at this byte of the text.
    pub fn at(path: &Path, text: &str, at: usize, problem: impl Into<String>) -> Mistake {
        let before = &text.as_bytes()[..at.min(text.len())];
        let line_start = before
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |newline| newline + 1);
        Mistake {
            path: path.to_owned(),
            line: before.iter().filter(|&&byte| byte == b'\n').count() + 1,
            column: String::from_utf8_lossy(&before[line_start..])
                .chars()
                .count()
                + 1,
            problem: problem.into(),
        }
    }

    /// What the TOML reader found.
    pub fn in_toml(path: &Path, text: &str, error: &toml::de::Error) -> Mistake {
        let at = error.span().map_or(0, |span| span.start);
        Mistake::at(path, text, at, error.message().replace('\n', "; "))
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mistake {
            path,
            line,
            column,
            problem,
        } = self;
        write!(f, "{}:{line}:{column}: {problem}", path.display())
    }
}

impl std::error::Error for Mistake {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one() {
        let place = |at| Mistake::at(Path::new("f"), "a = 1\nü = 2\n", at, "p").to_string();
        assert_eq!(place(0), "f:1:1: p");
        assert_eq!(place(5), "f:1:6: p");
        assert_eq!(place(6), "f:2:1: p");
        assert_eq!(place(8), "f:2:2: p");
        assert_eq!(place(99), "f:3:1: p");
    }
}
