//! Figures as lines of a table.

/// A line of a table.
pub trait Row {
    /// The names of the columns.
    const HEAD: &str;

    /// The figures below them.
    fn line(&self) -> String;
}

/// Prints a table, if anything was measured.
pub fn print<R: Row>(rows: &[R]) {
    if rows.is_empty() {
        return;
    }
    println!("{}", R::HEAD);
    for row in rows {
        println!("{}", row.line());
    }
    println!();
}
