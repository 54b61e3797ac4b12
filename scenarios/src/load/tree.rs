//! A parsed file in which every key and every value knows its place.

use std::ops::Range;

use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Problem, suggestion};

/// A value and its place.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) span: Range<usize>,
    pub(crate) tree: Tree,
}

#[derive(Debug)]
pub(crate) enum Tree {
    String(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Array(Vec<Node>),
    Table(Vec<Entry>),
}

/// A key, its place and its value.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) span: Range<usize>,
    pub(crate) node: Node,
}

/// Parses a file.
pub(crate) fn parse(text: &str) -> Result<Node, Problem> {
    let table = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        Problem::new(&span, format!("not TOML: {}", error.message()))
    })?;
    let span = table.span();
    Ok(Node {
        span: span.clone(),
        tree: Tree::Table(entries(table.get_ref())?),
    })
}

fn entries(table: &DeTable<'_>) -> Result<Vec<Entry>, Problem> {
    let mut entries = table
        .iter()
        .map(|(key, value)| {
            Ok(Entry {
                key: key.get_ref().to_string(),
                span: key.span(),
                node: node(value)?,
            })
        })
        .collect::<Result<Vec<Entry>, Problem>>()?;
    // As they stand in the file.
    entries.sort_by_key(|entry| entry.span.start);
    Ok(entries)
}

fn node(value: &Spanned<DeValue<'_>>) -> Result<Node, Problem> {
    let span = value.span();
    let number = |text: &str| Problem::new(&span, format!("`{text}` is out of range"));
    let tree = match value.get_ref() {
        DeValue::String(text) => Tree::String(text.to_string()),
        DeValue::Integer(integer) => Tree::Integer(
            i64::from_str_radix(integer.as_str(), integer.radix())
                .map_err(|_| number(integer.as_str()))?,
        ),
        DeValue::Float(float) => {
            Tree::Float(float.as_str().parse().map_err(|_| number(float.as_str()))?)
        }
        DeValue::Boolean(boolean) => Tree::Boolean(*boolean),
        DeValue::Datetime(datetime) => Tree::String(datetime.to_string()),
        DeValue::Array(array) => Tree::Array(array.iter().map(node).collect::<Result<_, _>>()?),
        DeValue::Table(table) => Tree::Table(entries(table)?),
    };
    Ok(Node { span, tree })
}

impl Node {
    pub(crate) fn kind(&self) -> &'static str {
        match self.tree {
            Tree::String(_) => "a string",
            Tree::Integer(_) => "a whole number",
            Tree::Float(_) => "a number",
            Tree::Boolean(_) => "true or false",
            Tree::Array(_) => "a list",
            Tree::Table(_) => "a table",
        }
    }

    pub(crate) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::new(&self.span, message)
    }

    /// A value of another kind than wanted.
    pub(crate) fn expected(&self, wanted: &str) -> Problem {
        self.problem(format!("expected {wanted}, found {}", self.kind()))
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.tree {
            Tree::String(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn text(&self, wanted: &str) -> Result<&str, Problem> {
        self.as_str().ok_or_else(|| self.expected(wanted))
    }

    pub(crate) fn table(&self, what: &'static str) -> Result<Table<'_>, Problem> {
        match &self.tree {
            Tree::Table(entries) => Ok(Table {
                what,
                span: self.span.clone(),
                entries,
                asked: Vec::new(),
            }),
            _ => Err(self.expected("a table")),
        }
    }

    /// As free-form JSON: parameters, answers, payloads.
    pub(crate) fn json(&self) -> Json {
        match &self.tree {
            Tree::String(text) => text.as_str().into(),
            Tree::Integer(integer) => (*integer).into(),
            Tree::Float(float) => (*float).into(),
            Tree::Boolean(boolean) => (*boolean).into(),
            Tree::Array(array) => array.iter().map(Self::json).collect(),
            Tree::Table(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.node.json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}

/// What can be read from a value.
pub(crate) trait Read: Sized {
    fn read(node: &Node) -> Result<Self, Problem>;
}

/// A table that is being read: it remembers which keys were asked for, so that what is left over
/// can be refused with a suggestion.
pub(crate) struct Table<'a> {
    what: &'static str,
    pub(crate) span: Range<usize>,
    entries: &'a [Entry],
    asked: Vec<&'static str>,
}

impl<'a> Table<'a> {
    pub(crate) fn node(&mut self, key: &'static str) -> Option<&'a Node> {
        self.asked.push(key);
        self.entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.node)
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    pub(crate) fn get<T: Read>(&mut self, key: &'static str) -> Result<Option<T>, Problem> {
        self.node(key).map(T::read).transpose()
    }

    pub(crate) fn or_default<T: Read + Default>(
        &mut self,
        key: &'static str,
    ) -> Result<T, Problem> {
        Ok(self.get(key)?.unwrap_or_default())
    }

    pub(crate) fn need<T: Read>(&mut self, key: &'static str) -> Result<T, Problem> {
        let (span, what) = (self.span.clone(), self.what);
        self.get(key)?
            .ok_or_else(|| Problem::new(&span, format!("{what} needs the key `{key}`")))
    }

    /// Sets a field if its key is there.
    pub(crate) fn set<T: Read>(&mut self, key: &'static str, field: &mut T) -> Result<(), Problem> {
        if let Some(value) = self.get(key)? {
            *field = value;
        }
        Ok(())
    }

    /// Like [`set`](Self::set), for a field that may be absent: `"none"` empties it.
    pub(crate) fn set_option<T: Read>(
        &mut self,
        key: &'static str,
        field: &mut Option<T>,
    ) -> Result<(), Problem> {
        match self.node(key) {
            Some(node) if node.as_str() == Some("none") => *field = None,
            Some(node) => *field = Some(T::read(node)?),
            None => {}
        }
        Ok(())
    }

    pub(crate) fn entries(&self) -> &'a [Entry] {
        self.entries
    }

    /// Refuses what nobody asked for.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        let unknown = self
            .entries
            .iter()
            .find(|entry| !self.asked.contains(&entry.key.as_str()));
        match unknown {
            None => Ok(()),
            Some(entry) => Err(Problem::new(
                &entry.span,
                format!(
                    "unknown key `{}` in {}{}",
                    entry.key,
                    self.what,
                    suggestion(&entry.key, &self.asked)
                ),
            )),
        }
    }
}
