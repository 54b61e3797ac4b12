//! The `moorline` command.
mod graph;
fn main() {
    print!("{}", graph::draw(graph::Format::Mermaid));
}
