//! The terminal, taken and given back whatever happens.

use std::io::{self, Stdout, Write, stdout};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crossterm::cursor::{Hide, Show};
use crossterm::execute;
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::backend::CrosstermBackend;
use ratatui::{Frame, Terminal};

type Hook = Box<dyn Fn(&panic::PanicHookInfo<'_>) + Sync + Send>;

/// A terminal that is drawn on. Dropped, it is as it was.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    /// What failed beside the view; said when there is no view in the way.
    told: Arc<Mutex<Vec<String>>>,
    hook: Arc<Hook>,
    given_back: Arc<AtomicBool>,
}

impl Screen {
    /// Takes the terminal.
    pub(super) fn open() -> io::Result<Self> {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let hook: Arc<Hook> = Arc::new(panic::take_hook());
        let given_back = Arc::<AtomicBool>::default();
        let (mine, later, before) = (thread::current().id(), told.clone(), hook.clone());
        let given = given_back.clone();
        panic::set_hook(Box::new(move |panic| {
            if thread::current().id() == mine {
                give_back(&given);
                before(panic);
            } else {
                // Others are caught where they happen, and the view goes on.
                let mut later = later.lock().unwrap_or_else(PoisonError::into_inner);
                later.push(panic.to_string());
            }
        }));
        enable_raw_mode()?;
        let terminal = execute!(stdout(), EnterAlternateScreen, Hide)
            .and_then(|()| Terminal::new(CrosstermBackend::new(stdout())));
        let terminal = terminal.inspect_err(|_| give_back(&given_back))?;
        Ok(Self {
            terminal,
            told,
            hook,
            given_back,
        })
    }

    /// Draws what has changed since the last time.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(draw).map(drop)
    }
}

/// Once: a second time the cursor would go back to where it was before.
fn give_back(given: &AtomicBool) {
    if given.swap(true, Ordering::Relaxed) {
        return;
    }
    // Nothing more can be done about a terminal that is gone.
    let _gone = disable_raw_mode();
    let _gone = execute!(stdout(), LeaveAlternateScreen, Show);
    let _gone = stdout().flush();
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back(&self.given_back);
        // A hook cannot be changed by a thread that panics.
        if !thread::panicking() {
            let before = self.hook.clone();
            panic::set_hook(Box::new(move |panic| before(panic)));
        }
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for text in told.iter() {
            crate::output::complain(text);
        }
    }
}
