//! Measures moorline against baselines in the same run, and says which goals are met.
//!
//! `cargo run --release -p moorline-bench [-- NAME...]` prints a Markdown table; without a name
//! everything is measured but what takes long (`scale`, `scale-1m`). Nothing is asserted: a figure depends on the machine and on what else
//! runs there, so a goal that is missed is printed, not failed.

mod fan_out;
mod floor;
mod gateway;
mod heap;
mod machine_events;
mod recovery;
mod report;
mod requests;
mod rounds;
mod scale;
mod scenarios;
mod stores;
mod wallet;

use std::error::Error;

use report::Row;

/// What a measurement ends with.
type Measured = Result<Vec<Row>, Box<dyn Error + Send + Sync>>;

/// One measurement: its name on the command line, what it is about, and how it is made.
struct Measurement {
    name: &'static str,
    about: &'static str,
    run: fn() -> Measured,
    /// Whether it is measured only if it is asked for: it takes long, or much memory.
    on_request: bool,
}

const MEASUREMENTS: [Measurement; 11] = [
    Measurement {
        name: "machine",
        about: "ns per machine event, against a hand-written `match`",
        run: machine_events::measure,
        on_request: false,
    },
    Measurement {
        name: "request",
        about: "what a session adds to a request, against the bare provider",
        run: requests::measure,
        on_request: false,
    },
    Measurement {
        name: "heap",
        about: "heap of idle connected sessions, against a task with a channel each",
        run: heap::measure,
        on_request: false,
    },
    Measurement {
        name: "fan-out",
        about: "events to many subscribers, against bare async-broadcast",
        run: fan_out::measure,
        on_request: false,
    },
    Measurement {
        name: "floor",
        about: "what no session behind a lock can do without",
        run: floor::measure,
        on_request: false,
    },
    Measurement {
        name: "recovery",
        about: "from the link back to the first held operation answered",
        run: recovery::measure,
        on_request: false,
    },
    Measurement {
        name: "gateway",
        about: "a thousand sessions on one gateway, every event stream cut at once",
        run: gateway::measure,
        on_request: false,
    },
    Measurement {
        name: "scenarios",
        about: "scenarios per second",
        run: scenarios::measure,
        on_request: false,
    },
    Measurement {
        name: "stores",
        about: "stored sessions, against the bare cipher, serialiser and disk",
        run: stores::measure,
        on_request: false,
    },
    Measurement {
        name: "scale",
        about: "100 000 sessions of one manager",
        run: scale::hundred_thousand,
        on_request: true,
    },
    Measurement {
        name: "scale-1m",
        about: "1 000 000 sessions of one manager",
        run: scale::million,
        on_request: true,
    },
];

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let known = |name: &String| MEASUREMENTS.iter().any(|known| known.name == name);
    if let Some(unknown) = wanted.iter().find(|name| !known(name)) {
        let names: Vec<&str> = MEASUREMENTS.iter().map(|known| known.name).collect();
        return Err(format!("no measurement `{unknown}`; there are {}", names.join(", ")).into());
    }
    for measurement in &MEASUREMENTS {
        let asked = wanted.iter().any(|name| name == measurement.name);
        let by_default = wanted.is_empty() && !measurement.on_request;
        if !asked && !by_default {
            continue;
        }
        let heading = format!("{}: {}", measurement.name, measurement.about);
        report::print(&heading, &(measurement.run)()?)?;
    }
    Ok(())
}
