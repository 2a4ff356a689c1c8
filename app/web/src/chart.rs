//! Pictures: inline SVG, each with a title, a description, and the same numbers in a table behind it.

use maud::{Markup, html};

/// A picture with its table. `id` is unique on the page.
pub struct Figure<'a> {
    /// Names the picture's parts on the page.
    pub id: &'a str,
    /// What it shows, in a few words.
    pub title: &'a str,
    /// What can be seen in it, in a sentence or two.
    pub description: &'a str,
    /// Width and height of the drawing.
    pub size: (u32, u32),
    /// The drawing: what stands in the `svg`.
    pub drawing: Markup,
    /// The names of the table's columns.
    pub header: &'a [&'a str],
    /// The table's rows.
    pub rows: &'a [Vec<String>],
}

impl Figure<'_> {
    /// The picture, its caption, and its table.
    pub fn render(&self) -> Markup {
        let (width, height) = self.size;
        let (title, description) = (format!("{}-title", self.id), format!("{}-desc", self.id));
        html! {
            figure.chart {
                svg viewBox={ "0 0 " (width) " " (height) } role="img" aria-labelledby={ (title) " " (description) } {
                    title id=(title) { (self.title) }
                    desc id=(description) { (self.description) }
                    (self.drawing)
                }
                figcaption { (self.description) }
                details {
                    summary { "The numbers: " (self.title) }
                    (table(self.title, self.header, self.rows))
                }
            }
        }
    }
}

/// A table that scrolls within itself. The first column names the row.
pub fn table(caption: &str, header: &[&str], rows: &[Vec<String>]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr { @for name in header { th scope="col" { (name) } } } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (column, cell) in row.iter().enumerate() {
                                @if column == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
