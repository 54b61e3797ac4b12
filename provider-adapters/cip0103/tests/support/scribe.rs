//! Everything that is traced, at the finest level.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Writes everything down.
#[derive(Clone, Default)]
pub(crate) struct Scribe {
    written: Arc<Mutex<String>>,
    /// Events of targets that begin so are passed over.
    deaf_to: Option<&'static str>,
}

impl Scribe {
    /// Writes down all but the events of targets that begin so.
    #[allow(dead_code, reason = "not every test passes something over")]
    pub(crate) fn deaf_to(target: &'static str) -> Self {
        Self {
            deaf_to: Some(target),
            ..Self::default()
        }
    }

    /// What was written down so far.
    pub(crate) fn written(&self) -> String {
        self.written.lock().unwrap().clone()
    }
}

impl Visit for Scribe {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.written.lock().unwrap(), "{field}={value:?}").unwrap();
    }
}

impl Subscriber for Scribe {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn event(&self, event: &Event<'_>) {
        let target = event.metadata().target();
        if self.deaf_to.is_none_or(|deaf| !target.starts_with(deaf)) {
            event.record(&mut self.clone());
        }
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
