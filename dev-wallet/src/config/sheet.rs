//! TOML read with the place of every word, so that mistakes can be pointed at.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It could not be read.
    #[error("{}: {cause}; check that it exists and may be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{}:{line}: {message}", .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there, and what would be right.
        message: String,
    },
}

impl FileError {
    /// What is in a file.
    pub(crate) fn text_of(path: &Path) -> Result<String, Self> {
        std::fs::read_to_string(path).map_err(|cause| Self::Unreadable {
            path: path.to_owned(),
            cause,
        })
    }
}

/// Something wrong at some place.
#[derive(Debug)]
pub(crate) struct Mistake {
    at: usize,
    message: String,
}

impl Mistake {
    pub(crate) fn in_file(self, path: &Path, text: &str) -> FileError {
        let before = text.get(..self.at).unwrap_or(text);
        FileError::Invalid {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            message: self.message,
        }
    }
}

/// A value and where it stands.
#[derive(Debug)]
pub(crate) struct Cell {
    span: Range<usize>,
    value: Content,
}

#[derive(Debug)]
enum Content {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    List(Vec<Cell>),
    Table(Sheet),
}

/// A table, whose entries are taken out one by one.
#[derive(Debug)]
pub(crate) struct Sheet {
    start: usize,
    entries: Vec<(String, usize, Cell)>,
    known: Vec<&'static str>,
}

/// Reads a text.
pub(crate) fn parse(text: &str) -> Result<Sheet, Mistake> {
    let table = DeTable::parse(text).map_err(|problem| Mistake {
        at: problem.span().map_or(0, |span| span.start),
        message: problem.message().to_owned(),
    })?;
    sheet(table.get_ref(), 0)
}

fn sheet(table: &DeTable<'_>, start: usize) -> Result<Sheet, Mistake> {
    let mut entries = Vec::new();
    for (key, value) in table {
        entries.push((key.get_ref().to_string(), key.span().start, cell(value)?));
    }
    entries.sort_by_key(|(_, at, _)| *at);
    Ok(Sheet {
        start,
        entries,
        known: Vec::new(),
    })
}

fn cell(value: &Spanned<DeValue<'_>>) -> Result<Cell, Mistake> {
    let span = value.span();
    let wrong = |what: &str| Mistake {
        at: span.start,
        message: what.to_owned(),
    };
    let value = match value.get_ref() {
        DeValue::String(text) => Content::Text(text.to_string()),
        DeValue::Integer(number) => {
            let digits = number.to_string();
            Content::Integer(
                digits
                    .parse()
                    .map_err(|_| wrong("this number is too large"))?,
            )
        }
        DeValue::Float(number) => {
            let digits = number.to_string();
            Content::Float(digits.parse().map_err(|_| wrong("this is no number"))?)
        }
        DeValue::Boolean(yes) => Content::Boolean(*yes),
        DeValue::Datetime(date) => Content::Text(date.to_string()),
        DeValue::Array(items) => Content::List(items.iter().map(cell).collect::<Result<_, _>>()?),
        DeValue::Table(table) => Content::Table(sheet(table, span.start)?),
    };
    Ok(Cell { span, value })
}

impl Cell {
    pub(crate) fn wrong(&self, what: impl Into<String>) -> Mistake {
        Mistake {
            at: self.span.start,
            message: what.into(),
        }
    }

    pub(crate) fn text(&self) -> Result<&str, Mistake> {
        match &self.value {
            Content::Text(text) => Ok(text),
            _ => Err(self.wrong("a text in quotes is expected")),
        }
    }

    pub(crate) fn boolean(&self) -> Result<bool, Mistake> {
        match self.value {
            Content::Boolean(yes) => Ok(yes),
            _ => Err(self.wrong("`true` or `false` is expected")),
        }
    }

    pub(crate) fn number(&self) -> Result<f64, Mistake> {
        match self.value {
            Content::Integer(number) => Ok(number as f64),
            Content::Float(number) => Ok(number),
            _ => Err(self.wrong("a number is expected")),
        }
    }

    pub(crate) fn count(&self) -> Result<u32, Mistake> {
        match self.value {
            Content::Integer(number) => u32::try_from(number).ok(),
            _ => None,
        }
        .ok_or_else(|| self.wrong("a whole number from 0 up is expected"))
    }

    pub(crate) fn time(&self) -> Result<Duration, Mistake> {
        humantime::parse_duration(self.text()?)
            .map_err(|problem| self.wrong(format!("{problem}; write a time as 500ms, 5s or 1h")))
    }

    pub(crate) fn list(self) -> Result<Vec<Self>, Mistake> {
        match self.value {
            Content::List(items) => Ok(items),
            _ => Err(self.wrong("a list is expected")),
        }
    }

    pub(crate) fn texts(self) -> Result<Vec<String>, Mistake> {
        let items = self.list()?;
        items
            .iter()
            .map(|it| it.text().map(str::to_owned))
            .collect()
    }

    pub(crate) fn table(self) -> Result<Sheet, Mistake> {
        match self.value {
            Content::Table(table) => Ok(table),
            _ => Err(self.wrong("a table is expected")),
        }
    }

    /// The value as JSON, its places forgotten.
    pub(crate) fn to_json(&self) -> Value {
        match &self.value {
            Content::Text(text) => Value::from(text.as_str()),
            Content::Integer(number) => Value::from(*number),
            Content::Float(number) => Value::from(*number),
            Content::Boolean(yes) => Value::from(*yes),
            Content::List(items) => items.iter().map(Self::to_json).collect(),
            Content::Table(table) => {
                let entries = table.entries.iter();
                entries
                    .map(|(name, _, cell)| (name.clone(), cell.to_json()))
                    .collect()
            }
        }
    }
}

impl Sheet {
    pub(crate) fn wrong(&self, what: impl Into<String>) -> Mistake {
        Mistake {
            at: self.start,
            message: what.into(),
        }
    }

    /// Takes an entry out, if it is there.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<Cell> {
        self.known.push(name);
        let position = self.entries.iter().position(|(it, _, _)| it == name)?;
        Some(self.entries.remove(position).2)
    }

    /// Takes an entry out that must be there.
    pub(crate) fn need(&mut self, name: &'static str) -> Result<Cell, Mistake> {
        let at = self.start;
        self.take(name).ok_or_else(|| Mistake {
            at,
            message: format!("`{name}` is missing"),
        })
    }

    /// Takes a list of tables out (`[[name]]`); empty if there is none.
    pub(crate) fn tables(&mut self, name: &'static str) -> Result<Vec<Self>, Mistake> {
        let Some(cell) = self.take(name) else {
            return Ok(Vec::new());
        };
        cell.list()?.into_iter().map(Cell::table).collect()
    }

    /// What is left, by name.
    pub(crate) fn rest(&mut self) -> Vec<(String, Cell)> {
        let entries = std::mem::take(&mut self.entries);
        entries
            .into_iter()
            .map(|(name, _, cell)| (name, cell))
            .collect()
    }

    /// Everything must have been taken out.
    pub(crate) fn finish(self) -> Result<(), Mistake> {
        match self.entries.first() {
            None => Ok(()),
            Some((name, at, _)) => Err(Mistake {
                at: *at,
                message: format!("unknown key `{name}`{}", suggestion(name, &self.known)),
            }),
        }
    }
}

/// `; did you mean …?` if a known word is close, else the list of known words.
pub(crate) fn suggestion(written: &str, known: &[&str]) -> String {
    let close = |word: &&&str| distance(written, word) <= written.chars().count().max(3) / 3;
    let closest = known.iter().min_by_key(|word| distance(written, word));
    match closest.filter(close) {
        Some(word) => format!("; did you mean `{word}`?"),
        None if known.is_empty() => String::new(),
        None => format!("; known are {}", known.join(", ")),
    }
}

/// How many letters differ (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut next = vec![i + 1];
        for (b, pair) in other.iter().zip(row.windows(2)) {
            let &[diagonal, above] = pair else { continue };
            let left = next.last().copied().unwrap_or_default();
            let replaced = diagonal + usize::from(a != *b);
            next.push(replaced.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_close_are_suggested() {
        assert_eq!(
            suggestion("profil", &["profile", "listen"]),
            "; did you mean `profile`?"
        );
        assert_eq!(
            suggestion("zzz", &["profile", "listen"]),
            "; known are profile, listen"
        );
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
