//! Edge lists: one link a line, as two names with spaces, tabs or a comma between.
//!
//! Lines that begin with `#` or `%` are comments. A line with one name is a peer without links. What
//! other tools take for a comment, `# community of PEER: NAME OF COMMUNITY`, carries communities
//! along. A third field (a weight) is left out.

use super::{Graph, GraphError, Incoming, shown, wrong};
use std::fmt::Write;

/// The longest line, in bytes.
const MAX_LINE_BYTES: usize = 4096;

/// Reads an edge list.
///
/// # Errors
/// [`GraphError::File`] with the first line that is not UTF-8, too long, or has no two names.
pub fn read(bytes: &[u8]) -> Result<Graph, GraphError> {
    let mut incoming = Incoming::default();
    for (line, bytes) in (1u64..).zip(bytes.split(|byte| *byte == b'\n')) {
        if bytes.len() > MAX_LINE_BYTES {
            let problem = format!("longer than {MAX_LINE_BYTES} bytes: is this an edge list?");
            return Err(wrong(line, problem));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|_| wrong(line, "not UTF-8 text: save the file as UTF-8"))?;
        let text = text.trim();
        if let Some(comment) = text.strip_prefix(['#', '%']) {
            read_community(&mut incoming, line, comment.trim_start())?;
            continue;
        }
        let mut names = text
            .split(|c: char| c.is_whitespace() || c == ',')
            .filter(|name| !name.is_empty());
        let Some(from) = names.next() else { continue };
        let from = incoming.peer(line, from)?;
        if let Some(to) = names.next() {
            let to = incoming.peer(line, to)?;
            incoming.link(line, from, to)?;
        }
        if names.nth(1).is_some() {
            let problem = format!(
                "`{}` has more than two names and a weight: write one link a line",
                shown(text)
            );
            return Err(wrong(line, problem));
        }
    }
    incoming.finish()
}

fn read_community(incoming: &mut Incoming, line: u64, comment: &str) -> Result<(), GraphError> {
    let Some(rest) = comment.strip_prefix("community of ") else {
        return Ok(());
    };
    let Some((peer, community)) = rest.trim().split_once(": ") else {
        // Prose that begins with these words.
        return Ok(());
    };
    let peer = incoming.peer(line, peer)?;
    incoming.community(line, peer, community.trim())
}

/// Writes an edge list that [`read`] takes, communities in comments.
pub fn write(graph: &Graph) -> String {
    let mut text = String::new();
    for (peer, community) in graph.communities().iter().enumerate() {
        let name = one_line(&graph.community_names()[*community as usize]);
        let _ = writeln!(text, "# community of {peer}: {name}");
    }
    for (a, b) in graph.edges() {
        let _ = writeln!(text, "{a} {b}");
    }
    text
}

/// A name without line breaks, and never empty.
fn one_line(name: &str) -> String {
    let words: Vec<&str> = name.split_whitespace().collect();
    if words.is_empty() {
        "none".to_owned()
    } else {
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_other_tools_are_taken() {
        let text = "# Nodes: 4\n10\t2\r\n2 7 0.5\n\n% community of words\n7,10\n3\n";
        let graph = read(text.as_bytes()).unwrap();
        assert_eq!(graph.peers(), 4);
        assert_eq!(graph.edges().collect::<Vec<_>>(), [(0, 2), (0, 3), (2, 3)]);
        let named = read(b"b a\na c\n").unwrap();
        assert_eq!(named.neighbours(1), [0, 2]);
    }

    #[test]
    fn errors_name_the_line() {
        let problem = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
        assert!(problem(b"1 2\n1 2 3 4 5\n").starts_with("line 2: `1 2 3 4 5` has more"));
        assert!(problem(b"1 2\n\n\xff 2\n").starts_with("line 3: not UTF-8"));
        assert!(problem(&[b'x'; 5000]).starts_with("line 1: longer than"));
        let long_name = [b'x'; 300];
        assert!(problem(&long_name).contains("1 to 256 bytes"));
    }
}
