//! Measures moorline against baselines in the same run, and says which goals are met.
//!
//! `cargo run --release -p moorline-bench [-- NAME...]` prints a Markdown table; without a name
//! everything is measured. Nothing is asserted: a figure depends on the machine and on what else
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
}

const MEASUREMENTS: [Measurement; 9] = [
    Measurement {
        name: "machine",
        about: "ns per machine event, against a hand-written `match`",
        run: machine_events::measure,
    },
    Measurement {
        name: "request",
        about: "what a session adds to a request, against the bare provider",
        run: requests::measure,
    },
    Measurement {
        name: "heap",
        about: "heap of idle connected sessions, against a task with a channel each",
        run: heap::measure,
    },
    Measurement {
        name: "fan-out",
        about: "events to many subscribers, against bare async-broadcast",
        run: fan_out::measure,
    },
    Measurement {
        name: "floor",
        about: "what no session behind a lock can do without",
        run: floor::measure,
    },
    Measurement {
        name: "recovery",
        about: "from the link back to the first held operation answered",
        run: recovery::measure,
    },
    Measurement {
        name: "gateway",
        about: "a thousand sessions on one gateway, every event stream cut at once",
        run: gateway::measure,
    },
    Measurement {
        name: "scenarios",
        about: "scenarios per second",
        run: scenarios::measure,
    },
    Measurement {
        name: "stores",
        about: "stored sessions, against the bare cipher, serialiser and disk",
        run: stores::measure,
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
        if !wanted.is_empty() && !wanted.iter().any(|name| name == measurement.name) {
            continue;
        }
        let heading = format!("{}: {}", measurement.name, measurement.about);
        report::print(&heading, &(measurement.run)()?)?;
    }
    Ok(())
}
