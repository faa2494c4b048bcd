//! Sessions read from a file.

use crate::span::MAX_S;

/// A time in which a peer is there, in seconds after the source cut its first segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Session {
    /// The peer's index.
    pub peer: u32,
    /// When it comes.
    pub from_s: f64,
    /// When it leaves, if it does.
    pub to_s: Option<f64>,
}

/// Why a trace cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{place}: {what}")]
pub struct TraceError {
    file: String,
    place: String,
    what: String,
}

impl TraceError {
    pub(super) fn unreadable(file: &str, error: &std::io::Error) -> TraceError {
        TraceError {
            file: file.to_owned(),
            place: String::new(),
            what: error.to_string(),
        }
    }
}

/// The sessions in a text, of each peer in the order of time.
pub(super) fn parse(file: &str, text: &str) -> Result<Vec<Session>, TraceError> {
    let mut sessions = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with("peer") {
            continue;
        }
        sessions.push(session(line).map_err(|what| TraceError {
            file: file.to_owned(),
            place: format!(":{number}"),
            what,
        })?);
    }
    sessions.sort_by(|a: &Session, b| a.peer.cmp(&b.peer).then(a.from_s.total_cmp(&b.from_s)));
    let overlap = |pair: &[Session]| {
        let end = pair[0].to_s.unwrap_or(f64::INFINITY);
        pair[0].peer == pair[1].peer && end > pair[1].from_s
    };
    match sessions.windows(2).find(|pair| overlap(pair)) {
        None => Ok(sessions),
        Some(pair) => Err(TraceError {
            file: file.to_owned(),
            place: String::new(),
            what: format!(
                "two sessions of peer {} overlap, those from {} and from {}",
                pair[0].peer, pair[0].from_s, pair[1].from_s
            ),
        }),
    }
}

fn session(line: &str) -> Result<Session, String> {
    let wrong = || format!("`{line}` is no session: write peer,from_s,to_s as in 17,2.5,60");
    let mut parts = line.split(',').map(str::trim);
    let mut next = || parts.next().ok_or_else(wrong);
    let (peer, from, to) = (next()?, next()?, next().unwrap_or_default());
    let seconds = |text: &str| match text.parse::<f64>() {
        Ok(seconds) if (0.0..=MAX_S).contains(&seconds) => Ok(seconds),
        _ => Err(wrong()),
    };
    let session = Session {
        peer: peer.parse().map_err(|_| wrong())?,
        from_s: seconds(from)?,
        to_s: (!to.is_empty()).then(|| seconds(to)).transpose()?,
    };
    match session.to_s.is_some_and(|to| to <= session.from_s) || parts.next().is_some() {
        true => Err(wrong()),
        false => Ok(session),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sessions_are_read_and_sorted() {
        let text = "peer,from_s,to_s\n# the second\n2,30,\n\n1, 0 ,12.5\n2,0,20\n";
        let session = |peer, from_s, to_s| Session { peer, from_s, to_s };
        assert_eq!(
            parse("t.csv", text),
            Ok(vec![
                session(1, 0.0, Some(12.5)),
                session(2, 0.0, Some(20.0)),
                session(2, 30.0, None),
            ])
        );
    }

    #[test]
    fn what_is_no_session_is_named_by_its_line() {
        for wrong in ["x,1,2", "1", "1,2,1", "1,-2,4", "1,nan,4", "1,2,3,4"] {
            let error = parse("t.csv", &format!("1,0,1\n{wrong}")).unwrap_err();
            assert!(error.to_string().starts_with("t.csv:2: "), "{error}");
        }
        let error = parse("t.csv", "1,0,\n1,5,6").unwrap_err();
        assert!(error.to_string().contains("overlap"), "{error}");
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in "[0-9a-z,.# \n-]{0,200}") {
            let _ = parse("t", &text);
        }
    }
}
