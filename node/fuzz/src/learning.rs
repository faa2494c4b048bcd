//! Data and graphs to learn from, and the words that describe them.

use hamlet_gossip_learning::{
    data::{self, Dealing, Recipe, Synthetic},
    graph::{Graph, Spec, format},
    robust::Rule,
};

fn texts<const N: usize>(texts: [&str; N]) -> Vec<Vec<u8>> {
    texts.map(|text| text.as_bytes().to_vec()).into()
}

/// Tables with numbers, names, quotes and line ends of two kinds.
pub fn tables() -> Vec<Vec<u8>> {
    texts([
        "age,city,\"pay, gross\",g\n30,Lund,100,SE\n40,\"Aix, \"\"P\"\"\",1000,FR\n50,Lund,10,SE\n",
        "a,g\r\n1,0\r\n2.5e-3,1\r\n-0,1\r\n4,0\r\n",
    ])
}

/// A table is refused, or prepared or refused to learn from.
pub fn csv(bytes: &[u8]) {
    let Ok(table) = data::csv::read("fuzz.csv", bytes, &[]) else {
        return;
    };
    for (label, by) in [("g", None), ("a", Some("g")), ("log10(age)", Some("city"))] {
        let recipe = Recipe {
            label: label.to_owned(),
            by: by.map(str::to_owned),
            drop: Vec::new(),
            scaled: true,
            intercept: true,
            test_share: 0.3,
            seed: 1,
        };
        if let Ok((data, _)) = table.prepare(&recipe) {
            assert_eq!(data.train.labels().len(), data.train_community.len());
            assert_eq!(data.test.labels().len(), data.test_community.len());
        }
    }
}

/// Sparse rows of two and of many classes.
pub fn sparse_rows() -> Vec<Vec<u8>> {
    texts([
        "+1 1:0.5 3:-2 # good\n-1 2:1e3\n\n+1 1:1\n",
        "0 1:1\n1 2:1\n2 3:1 4:2\n",
    ])
}

/// Rows are refused, or divided between learning and testing.
pub fn libsvm(bytes: &[u8]) {
    if let Ok(data) = data::libsvm::read("fuzz.svm", bytes, true, 0.3, 1) {
        assert_eq!(data.train.labels().len(), data.train_community.len());
        assert!(!data.train.labels().is_empty());
    }
}

/// Edge lists with names, weights and communities.
pub fn edge_lists() -> Vec<Vec<u8>> {
    texts([
        "# community of a: one\na b 0.5\nb,c\n% comment\nd\n",
        "0 1\n1 2\n2 0\n10 1\n",
    ])
}

/// A graph is refused, or the same after it was written.
pub fn edge_list(bytes: &[u8]) {
    if let Ok(graph) = format::edge_list::read(bytes) {
        same(
            &graph,
            format::edge_list::read(format::edge_list::write(&graph).as_bytes()),
        );
    }
}

/// GraphML of ours and of other tools.
pub fn graphmls() -> Vec<Vec<u8>> {
    let own = format::edge_list::read(&edge_lists()[1]).map(|graph| format::graphml::write(&graph));
    let own = own.expect("the sample is a graph");
    let other = "<?xml version='1.0'?><graphml><key id='d0' attr.name='Modularity Class'/><graph>\
        <edge source='n1' target='n0'><data key='w'>3</data></edge>\
        <node id='n0'><data key='d0'> a &amp; <![CDATA[b]]> </data></node><node id='n1'/></graph></graphml>";
    texts([&own, other])
}

/// A graph is refused, or the same after it was written.
pub fn graphml(bytes: &[u8]) {
    if let Ok(graph) = format::graphml::read(bytes) {
        same(
            &graph,
            format::graphml::read(format::graphml::write(&graph).as_bytes()),
        );
    }
}

fn same<E: std::fmt::Debug>(graph: &Graph, again: Result<Graph, E>) {
    let again = again.expect("what was written can be read");
    assert_eq!(
        (again.peers(), again.links()),
        (graph.peers(), graph.links())
    );
    assert_eq!(again.communities(), graph.communities());
}

/// Descriptions of graphs, rules, data and how it is dealt.
pub fn specs() -> Vec<Vec<u8>> {
    texts([
        "planted:degree=10,between=0.03",
        "dirichlet:0.3",
        "community",
        "krum",
        "even",
    ])
}

/// A description is refused, or the same after it was printed.
pub fn spec(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(spec) = text.parse::<Spec>() {
        assert_eq!(spec.to_string().parse::<Spec>().ok(), Some(spec));
    }
    if let Ok(rule) = text.parse::<Rule>() {
        assert_eq!(rule.to_string().parse::<Rule>().ok(), Some(rule));
    }
    if let Ok(dealing) = text.parse::<Dealing>() {
        assert_eq!(dealing.to_string().parse::<Dealing>().ok(), Some(dealing));
    }
    if let Ok(synthetic) = text.parse::<Synthetic>() {
        assert_eq!(
            synthetic.to_string().parse::<Synthetic>().ok(),
            Some(synthetic)
        );
    }
}
