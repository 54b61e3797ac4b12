//! From a file to a [`Scenario`]: everything that could not be played is refused here, with the
//! place in the file and what would be right.

mod expect;
mod happenings;
mod pattern;
mod policy;
mod problem;
mod setup;
mod step;
mod tree;
mod user;
mod validate;
mod values;
mod wallet;

use std::path::Path;

pub use self::problem::LoadError;
use self::problem::{Problem, place};
use self::tree::{Node, Tree};
pub(crate) use self::values::{duration, error_kind_name};
use crate::model::{Scenario, Step};

/// What a file is read with: its text, for lines.
pub(crate) struct Source<'a> {
    text: &'a str,
}

impl Source<'_> {
    pub(crate) fn line(&self, offset: usize) -> usize {
        place(self.text, offset).0
    }
}

/// Loads a scenario from a file.
///
/// # Errors
///
/// [`LoadError`] names the file, the line and the column, what is wrong there, and what would be
/// right.
pub fn load(path: impl AsRef<Path>) -> Result<Scenario, LoadError> {
    let path = path.as_ref();
    let text = std::fs::read_to_string(path).map_err(|source| LoadError::Unreadable {
        path: path.into(),
        source,
    })?;
    parse(path, &text)
}

/// Reads a scenario from text; `path` is what messages call it.
///
/// # Errors
///
/// As for [`load`].
pub fn parse(path: impl AsRef<Path>, text: &str) -> Result<Scenario, LoadError> {
    let path = path.as_ref();
    read(path, text).map_err(|problem| problem.in_file(path, text))
}

fn read(path: &Path, text: &str) -> Result<Scenario, Problem> {
    let source = Source { text };
    let root = tree::parse(text)?;
    let mut table = root.table("a scenario")?;
    let name: String = table.need("name")?;
    let title: String = table.need("title")?;
    let covers = table.or_default("covers")?;
    let seed = table.get("seed")?.unwrap_or(1);
    let virtual_only = table.get("virtual_only")?;
    let not_over_http = table.get("not_over_http")?;
    let policy = match table.node("policy") {
        Some(node) => policy::read(node)?,
        None => moorline::Policy::default(),
    };
    let wallet = match table.node("wallet") {
        Some(node) => setup::wallet(node)?,
        None => crate::model::WalletSetup::default(),
    };
    let session = match table.node("session") {
        Some(node) => setup::session(node)?,
        None => crate::model::SessionSetup::default(),
    };
    let never = match table.node("never") {
        Some(node) => pattern::event_names(node)?,
        None => Vec::new(),
    };
    let nodes = steps(&mut table)?;
    table.finish()?;
    let steps = nodes
        .iter()
        .enumerate()
        .map(|(index, node)| step::read(index + 1, node, &source))
        .collect::<Result<Vec<Step>, Problem>>()?;
    let scenario = Scenario {
        file: path.into(),
        name,
        title,
        covers,
        seed,
        virtual_only,
        not_over_http,
        policy,
        wallet,
        session,
        never,
        steps,
    };
    validate::check(&scenario, nodes)?;
    Ok(scenario)
}

fn steps<'a>(table: &mut tree::Table<'a>) -> Result<&'a [Node], Problem> {
    let span = table.span.clone();
    let Some(node) = table.node("step") else {
        return Err(Problem::new(
            &span,
            "a scenario needs at least one `[[step]]`",
        ));
    };
    match &node.tree {
        Tree::Array(items) => Ok(items),
        _ => Err(node.problem("steps are written as `[[step]]`, one for each")),
    }
}
