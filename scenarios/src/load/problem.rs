//! What is wrong with a scenario file, and where.

use std::ops::Range;
use std::path::{Path, PathBuf};

/// Why a scenario could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file or folder could not be read.
    #[error("{}: {source}; check that it exists and may be read", .path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is not a scenario that could be played.
    #[error("{}:{line}:{column}: {message}", .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The column, counted from 1 in characters.
        column: usize,
        /// What is wrong there, and what would be right.
        message: String,
    },
    /// A folder without a single scenario.
    #[error("{}: no `*.scenario.toml` in there or below; name a file to play it whatever it is called", .path.display())]
    NothingFound {
        /// The folder.
        path: PathBuf,
    },
}

/// Something wrong at some place of the text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Problem {
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
}

impl Problem {
    pub(crate) fn new(span: &Range<usize>, message: impl Into<String>) -> Self {
        Self {
            span: span.clone(),
            message: message.into(),
        }
    }

    pub(crate) fn in_file(self, path: &Path, text: &str) -> LoadError {
        let (line, column) = place(text, self.span.start);
        LoadError::Invalid {
            path: path.into(),
            line,
            column,
            message: self.message,
        }
    }
}

/// Line and column of an offset, both counted from 1.
pub(crate) fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(start..).unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// `; did you mean `x`?` if a known word is close to the one that was written, else the list of
/// all that would do.
pub(crate) fn suggestion(written: &str, known: &[&str]) -> String {
    let closest = known
        .iter()
        .map(|word| (distance(written, word), *word))
        .min();
    match closest {
        Some((distance, word)) if distance <= written.chars().count().max(3) / 3 => {
            format!("; did you mean `{word}`?")
        }
        Some(_) => format!("; known are {}", listed(known)),
        None => String::new(),
    }
}

fn listed(words: &[&str]) -> String {
    let mut words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.sort();
    words.join(", ")
}

/// How many letters differ (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let cost = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_words_are_suggested_and_others_listed() {
        assert_eq!(
            suggestion("staus", &["status", "held"]),
            "; did you mean `status`?"
        );
        assert_eq!(
            suggestion("colour", &["status", "held"]),
            "; known are `held`, `status`"
        );
    }

    #[test]
    fn places_count_from_one() {
        assert_eq!(place("ab\ncd", 0), (1, 1));
        assert_eq!(place("ab\ncd", 4), (2, 2));
    }
}
