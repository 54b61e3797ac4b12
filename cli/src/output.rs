//! What a command prints: a timeline for people, or JSON lines.

use std::io::{ErrorKind, IsTerminal, Write};
use std::time::Instant;

use anstyle::{AnsiColor, Style};
use moorline::Event;
use serde_json::{Value, json};

use crate::describe::describe;

/// Goes back to the begin of a terminal's line and empties it.
const CLEAR: &str = "\r\x1b[K";

/// Prints what happens, as it happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
    colours: bool,
    begun: Instant,
}

/// Who does something in a timeline.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Actor {
    You,
    Wallet,
    Session,
    Check,
}

impl Actor {
    fn name(self) -> &'static str {
        match self {
            Self::You => "you",
            Self::Wallet => "wallet",
            Self::Session => "session",
            Self::Check => "check",
        }
    }

    fn style(self) -> Style {
        let style = Style::new();
        match self {
            Self::You => style.bold(),
            Self::Wallet => style.fg_color(Some(AnsiColor::Magenta.into())),
            Self::Session => style.fg_color(Some(AnsiColor::Cyan.into())),
            Self::Check => style.fg_color(Some(AnsiColor::Green.into())),
        }
    }
}

impl Output {
    /// Prints for people, with colours on a terminal; as JSON lines if asked to.
    pub(crate) fn new(json: bool) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let colours = terminal && std::env::var_os("NO_COLOR").is_none();
        Self {
            json,
            colours,
            begun: Instant::now(),
        }
    }

    /// One event of the session.
    pub(crate) fn event(self, event: &Event) {
        if self.json {
            // An event is plain data: it always has a JSON form.
            self.line(&serde_json::to_string(event).unwrap_or_default());
            return;
        }
        let text = format!("{:<22} {}", event.kind.name(), describe(&event.kind));
        self.entry(Actor::Session, text.trim_end());
    }

    /// Something that somebody does.
    pub(crate) fn step(self, actor: Actor, text: &str) {
        if self.json {
            self.object(&json!({ "type": "step", "actor": actor.name(), "text": text }));
        } else {
            self.entry(actor, text);
        }
    }

    /// Something that must hold.
    pub(crate) fn check(self, text: &str, holds: bool) {
        if self.json {
            self.object(&json!({ "type": "check", "text": text, "holds": holds }));
        } else if holds {
            self.entry(Actor::Check, &format!("✓ {text}"));
        } else {
            self.entry(Actor::Check, &format!("✗ {text}"));
        }
    }

    /// A line for people only.
    pub(crate) fn say(self, text: &str) {
        if !self.json {
            self.line(text);
        }
    }

    /// An object for programs only.
    pub(crate) fn object(self, value: &Value) {
        self.json_line(&value.to_string());
    }

    /// An object for programs only, written already.
    pub(crate) fn json_line(self, text: &str) {
        if self.json {
            self.line(text);
        }
    }

    fn entry(self, actor: Actor, text: &str) {
        let at = self.begun.elapsed().as_secs_f64();
        let name = actor.name();
        if self.colours {
            let style = actor.style();
            self.line(&format!("{at:7.2}s  {style}{name:<8}{style:#} {text}"));
        } else {
            self.line(&format!("{at:7.2}s  {name:<8} {text}"));
        }
    }

    /// Whether a line can be written over.
    pub(crate) fn is_live(self) -> bool {
        !self.json && std::io::stdout().is_terminal()
    }

    /// Shows a line until the next one is written over it. Only where [`is_live`](Self::is_live).
    pub(crate) fn show(self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _gone = write!(out, "{CLEAR}{text}").and_then(|()| out.flush());
    }

    fn line(self, text: &str) {
        // Whoever reads may have gone; what is done goes on.
        let mut out = std::io::stdout().lock();
        let over = if self.is_live() { CLEAR } else { "" };
        let _gone = writeln!(out, "{over}{text}").and_then(|()| out.flush());
    }
}

/// Prints the whole of what a command is for. A reader who has had enough is no failure.
pub(crate) fn whole(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Says what went wrong. Nobody may be there to read it.
pub(crate) fn complain(text: &str) {
    let _gone = writeln!(std::io::stderr(), "{text}");
}
