//! Everything that a program is shown, for tests of what must not be in it.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Debug;
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

use moorline::Snapshot;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// Everything that was shown, by where.
#[derive(Clone, Default)]
pub(crate) struct Shown(Arc<Mutex<Vec<(String, String)>>>);

impl Shown {
    pub(crate) fn add(&self, place: &str, text: impl Into<String>) {
        self.0.lock().unwrap().push((place.into(), text.into()));
    }

    pub(crate) fn debug(&self, place: &str, value: &dyn Debug) {
        self.add(place, format!("{value:?}\n{value:#?}"));
    }

    /// An error with everything behind it.
    pub(crate) fn error(&self, place: &str, error: &(dyn Error + 'static)) {
        let mut next = Some(error);
        while let Some(error) = next {
            self.add(place, format!("{error}\n{error:?}\n{error:#?}"));
            next = error.source();
        }
    }

    pub(crate) fn snapshot(&self, snapshot: &Snapshot) {
        self.debug("snapshot", snapshot);
        self.add("snapshot", serde_json::to_string(snapshot).unwrap());
    }

    /// Where a secret appears, with what stands before it.
    pub(crate) fn leaks(&self, secrets: &BTreeSet<String>) -> Vec<String> {
        let shown = self.0.lock().unwrap();
        let found = shown.iter().flat_map(|(place, text)| {
            let at = secrets.iter().find_map(|secret| text.find(&**secret))?;
            let before: Vec<char> = text[..at].chars().rev().take(200).collect();
            let before: String = before.into_iter().rev().collect();
            let after: String = text[at..].chars().take(12).collect();
            Some(format!("{place}: …{before}<{after}…>"))
        });
        found.collect()
    }
}

/// Where `tracing` (and, by way of it, `log`) writes.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Collects whatever is logged in this program from now on.
    pub(crate) fn collect() -> Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        let start = || {
            let log = Self::default();
            let writer = log.clone();
            tracing_subscriber::fmt()
                .with_max_level(LevelFilter::TRACE)
                .with_span_events(FmtSpan::FULL)
                .with_ansi(false)
                .with_writer(move || writer.clone())
                .init();
            log
        };
        LOG.get_or_init(start).clone()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}
