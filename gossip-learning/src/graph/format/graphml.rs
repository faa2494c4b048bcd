//! GraphML, the XML format that Gephi, yEd, NetworkX and igraph exchange.
//!
//! Nodes and edges of the first graph are read; the node's attribute whose `attr.name` is `community`
//! (or `modularity_class`, as Gephi calls it) carries communities; other data is left out. Directed
//! edges are taken as undirected. Entities beyond XML's own five are not expanded, and nothing is
//! fetched.

use super::{Graph, GraphError, Incoming, shown, wrong};
use quick_xml::{
    Reader,
    escape::escape,
    events::{BytesStart, Event},
};
use std::fmt::Write;

/// The deepest nesting of elements; GraphML needs about five.
const MAX_DEPTH: usize = 64;

/// Reads GraphML.
///
/// # Errors
/// [`GraphError::File`] with the line where the file is not well-formed XML, an edge names a node that
/// is not declared, an `id`, `source` or `target` is missing, or there is no graph.
pub fn read(bytes: &[u8]) -> Result<Graph, GraphError> {
    let mut reader = Reader::from_reader(bytes);
    let mut file = File::default();
    loop {
        let before = reader.buffer_position();
        // Lines are counted only for errors: at most once.
        let at = |problem: String| wrong(line_of(bytes, before), problem);
        let event = reader
            .read_event()
            .map_err(|error| at(format!("not well-formed XML: {error}")))?;
        match event {
            Event::Start(tag) => {
                file.open(&tag).map_err(&at)?;
                file.depth += 1;
                if file.depth > MAX_DEPTH {
                    return Err(at("elements nested too deep for GraphML".into()));
                }
            }
            Event::Empty(tag) => {
                file.open(&tag).map_err(&at)?;
                file.close(tag.local_name().as_ref()).map_err(&at)?;
            }
            Event::End(tag) => {
                file.depth = file.depth.saturating_sub(1);
                file.close(tag.local_name().as_ref()).map_err(&at)?;
            }
            Event::Text(text) => {
                let text = text.decode().map_err(|error| at(error.to_string()))?;
                file.read_text(&text);
            }
            Event::GeneralRef(entity) => {
                let name = entity.decode().map_err(|error| at(error.to_string()))?;
                let text = match entity.resolve_char_ref() {
                    Ok(Some(character)) => character.to_string(),
                    Ok(None) => quick_xml::escape::resolve_xml_entity(&name)
                        .ok_or_else(|| at(format!("unknown entity `&{};`", shown(&name))))?
                        .to_owned(),
                    Err(error) => return Err(at(error.to_string())),
                };
                file.read_text(&text);
            }
            Event::CData(data) => {
                let text = data.decode().map_err(|error| at(error.to_string()))?;
                file.read_text(&text);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let last = line_of(bytes, bytes.len() as u64);
    if file.depth > 0 {
        return Err(wrong(
            last,
            "the file ends inside an element: it was cut short",
        ));
    }
    if file.graphs == 0 {
        return Err(wrong(last, "no <graph> element: is this GraphML?"));
    }
    file.finish(bytes)
}

fn line_of(bytes: &[u8], position: u64) -> u64 {
    let seen = &bytes[..bytes.len().min(position as usize)];
    1 + seen.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// What has been read, and where in the document the reader is.
#[derive(Default)]
struct File {
    incoming: Incoming,
    depth: usize,
    graphs: usize,
    inside_graph: bool,
    /// The key of the attribute that names communities.
    community_key: Option<String>,
    /// The node that is open.
    node: Option<u32>,
    /// The text so far of the open node's community.
    community: Option<String>,
    /// Nodes that were declared; an edge may name one before that.
    declared: Vec<bool>,
}

impl File {
    fn open(&mut self, tag: &BytesStart<'_>) -> Result<(), String> {
        match tag.local_name().as_ref() {
            b"graph" => {
                self.graphs += 1;
                self.inside_graph = self.graphs == 1;
            }
            b"key" => {
                let name = attribute(tag, "attr.name")?
                    .unwrap_or_default()
                    .to_lowercase();
                if name == "community" || name == "modularity_class" || name == "modularity class" {
                    self.community_key = attribute(tag, "id")?;
                }
            }
            b"node" if self.inside_graph => {
                let id = attribute(tag, "id")?.ok_or("a <node> without `id`: give it one")?;
                let peer = self.number(&id)?;
                self.declare(peer);
                self.node = Some(peer);
            }
            b"edge" if self.inside_graph => {
                let mut end = |name: &str| {
                    let id = attribute(tag, name)?.ok_or_else(|| {
                        format!("an <edge> without `{name}`: name both its nodes")
                    })?;
                    self.number(&id)
                };
                let (source, target) = (end("source")?, end("target")?);
                self.incoming.link(0, source, target).map_err(problem)?;
            }
            b"data" if self.node.is_some() => {
                let key = attribute(tag, "key")?;
                if key.is_some() && key == self.community_key {
                    self.community = Some(String::new());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, name: &[u8]) -> Result<(), String> {
        match name {
            b"graph" => self.inside_graph = false,
            b"node" => self.node = None,
            b"data" => {
                let (node, text) = (self.node, self.community.take());
                if let (Some(node), Some(text)) = (node, text) {
                    let name = text.trim();
                    if !name.is_empty() {
                        self.incoming.community(0, node, name).map_err(problem)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn read_text(&mut self, text: &str) {
        if let Some(community) = &mut self.community {
            community.push_str(text);
        }
    }

    fn number(&mut self, id: &str) -> Result<u32, String> {
        let peer = self.incoming.peer(0, id).map_err(problem)?;
        if self.declared.len() <= peer as usize {
            self.declared.push(false);
        }
        Ok(peer)
    }

    fn declare(&mut self, peer: u32) {
        if let Some(declared) = self.declared.get_mut(peer as usize) {
            *declared = true;
        }
    }

    fn finish(self, bytes: &[u8]) -> Result<Graph, GraphError> {
        if let Some(unknown) = self.declared.iter().position(|declared| !declared) {
            let name = (self.incoming.numbers.iter())
                .find(|(_, number)| **number as usize == unknown)
                .map_or("", |(name, _)| name.as_str());
            let quoted = format!("\"{}\"", escape(name));
            let position = (bytes.windows(quoted.len()))
                .position(|window| window == quoted.as_bytes())
                .unwrap_or(0);
            let problem = format!(
                "an edge names node `{}`, which is not declared: add <node id={}/>",
                shown(name),
                shown(&quoted).replace('\\', "")
            );
            return Err(wrong(line_of(bytes, position as u64), problem));
        }
        self.incoming.finish()
    }
}

/// The problem without its line, which the caller knows better.
fn problem(error: GraphError) -> String {
    match error {
        GraphError::File { problem, .. } => problem,
        other => other.to_string(),
    }
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Result<Option<String>, String> {
    let found = tag
        .try_get_attribute(name)
        .map_err(|error| error.to_string())?;
    found
        .map(|attribute| {
            let text = std::str::from_utf8(&attribute.value).map_err(|error| error.to_string())?;
            quick_xml::escape::unescape(text)
                .map(|text| text.into_owned())
                .map_err(|error| error.to_string())
        })
        .transpose()
}

/// Writes GraphML that [`read`] and the usual tools take.
pub fn write(graph: &Graph) -> String {
    let mut text = String::from(concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
        "<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n",
        "  <key id=\"community\" for=\"node\" attr.name=\"community\" attr.type=\"string\"/>\n",
        "  <graph edgedefault=\"undirected\">\n",
    ));
    for (peer, community) in graph.communities().iter().enumerate() {
        let name = escape(graph.community_names()[*community as usize].as_str());
        let _ = writeln!(
            text,
            "    <node id=\"{peer}\"><data key=\"community\">{name}</data></node>"
        );
    }
    for (a, b) in graph.edges() {
        let _ = writeln!(text, "    <edge source=\"{a}\" target=\"{b}\"/>");
    }
    text.push_str("  </graph>\n</graphml>\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_graph(inner: &str) -> String {
        format!(
            "<graphml>\n<key id='d0' attr.name='Modularity Class'/>\n<graph>\n{inner}\n</graph>\n</graphml>"
        )
    }

    #[test]
    fn files_of_other_tools_are_taken() {
        let text = with_graph(
            "<edge source='n1' target='n0'><data key='w'>3</data></edge>\n\
             <node id='n0'><data key='d0'> a &amp; b </data></node><node id='n1'/>",
        );
        let graph = read(text.as_bytes()).unwrap();
        assert_eq!((graph.peers(), graph.links()), (2, 1));
        assert_eq!(graph.community_names(), ["none", "a & b"]);
    }

    #[test]
    fn errors_name_the_line_and_the_remedy() {
        for (inner, expected) in [
            (
                "<node id='a'/>\n<edge source='a' target=\"b\"/>",
                "line 5: an edge names node `b`",
            ),
            ("<node/>", "line 4: a <node> without `id`"),
            (
                "<node id='a'/>\n<edge source='a'/>",
                "line 5: an <edge> without `target`",
            ),
            ("<node id='a'></edge>", "line 4: not well-formed XML"),
        ] {
            let problem = read(with_graph(inner).as_bytes()).unwrap_err().to_string();
            assert!(problem.starts_with(expected), "{problem}");
        }
        let none = read(b"hello").unwrap_err().to_string();
        assert!(none.contains("is this GraphML?"), "{none}");
        let cut = read(b"<graphml><graph><node id='a'>")
            .unwrap_err()
            .to_string();
        assert!(cut.contains("cut short"), "{cut}");
    }

    #[test]
    fn bombs_do_not_go_off() {
        let deep = "<a>".repeat(100_000);
        assert!(
            read(deep.as_bytes())
                .unwrap_err()
                .to_string()
                .contains("too deep")
        );
        let entity = with_graph("<node id='a'><data key='d0'>&lol;</data></node>");
        assert!(
            read(entity.as_bytes())
                .unwrap_err()
                .to_string()
                .contains("unknown entity")
        );
    }
}
