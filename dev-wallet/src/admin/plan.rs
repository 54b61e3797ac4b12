//! Faults that strike by themselves: at a time, at the n-th request, at the n-th event.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Act;
use crate::config::{Cell, FileError, Mistake, Sheet, parse, suggestion};
use crate::state::Inner;

/// What happens to a wallet by itself, as a TOML file has it.
///
/// ```toml
/// [[step]]
/// when = { after = "2s" }            # of the wallet's time, since it started
/// do = "drop-streams"
///
/// [[step]]
/// when = { request = 5 }             # the fifth request; `method = "…"` counts those alone
/// do = "misbehave"
/// fault = "rate-limit"
/// retry-after = "1s"
/// times = 1
///
/// [[step]]
/// when = { event = 3, name = "txChanged" }
/// do = "lose-events"
/// count = 1
///
/// [[step]]
/// when = { every = "10s" }
/// do = "close-idle"
/// ```
///
/// What can be done is in [`Act`]; a step at a request or an event is done before it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    pub(crate) steps: Vec<Step>,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) when: When,
    pub(crate) act: Act,
    /// How much of what it counts has come.
    counted: u32,
}

/// When a step is done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum When {
    After(Duration),
    Every(Duration),
    Request { number: u32, method: Option<String> },
    Event { number: u32, name: Option<String> },
}

impl Plan {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`FileError`] with the line, and what would be right.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, FileError> {
        let text = FileError::text_of(path.as_ref())?;
        Self::from_toml(&text, path)
    }

    /// Reads a text; `path` is what errors call it.
    ///
    /// # Errors
    ///
    /// [`FileError`] with the line, and what would be right.
    pub fn from_toml(text: &str, path: impl AsRef<Path>) -> Result<Self, FileError> {
        let read = parse(text).and_then(|mut sheet| {
            let steps = sheet.tables("step")?.into_iter().map(step);
            let steps = steps.collect::<Result<_, _>>()?;
            sheet.finish().map(|()| Self { steps })
        });
        read.map_err(|mistake| mistake.in_file(path.as_ref(), text))
    }
}

fn step(mut sheet: Sheet) -> Result<Step, Mistake> {
    let when = when(sheet.need("when")?.table()?)?;
    let name = sheet.need("do")?;
    let known = Act::FIELDS
        .iter()
        .find(|(it, _)| Some(*it) == name.text().ok());
    let Some((act, fields)) = known else {
        let hint = suggestion(name.text()?, Act::NAMES);
        return Err(name.wrong(format!("there is no act `{}`{hint}", name.text()?)));
    };
    let fields: Vec<String> = fields.iter().map(|it| it.replace('_', "-")).collect();
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    let mut object = Map::new();
    object.insert("do".to_owned(), Value::from(*act));
    for (field, cell) in sheet.rest() {
        if !fields.contains(&field.as_str()) {
            let hint = suggestion(&field, &fields);
            return Err(cell.wrong(format!("`{act}` has no `{field}`{hint}")));
        }
        object.insert(field, cell.to_json());
    }
    let act = Act::deserialize(Value::Object(object));
    Ok(Step {
        when,
        act: act.map_err(|problem| name.wrong(problem.to_string()))?,
        counted: 0,
    })
}

fn when(mut sheet: Sheet) -> Result<When, Mistake> {
    let nth = |cell: &Cell| match cell.count()? {
        0 => Err(cell.wrong("the first is 1")),
        number => Ok(number),
    };
    let text = |cell: Option<Cell>| match cell {
        Some(cell) => cell.text().map(|text| Some(text.to_owned())),
        None => Ok(None),
    };
    let when = if let Some(cell) = sheet.take("after") {
        When::After(cell.time()?)
    } else if let Some(cell) = sheet.take("every") {
        match cell.time()? {
            Duration::ZERO => return Err(cell.wrong("a time above 0 is expected")),
            time => When::Every(time),
        }
    } else if let Some(cell) = sheet.take("request") {
        When::Request {
            number: nth(&cell)?,
            method: text(sheet.take("method"))?,
        }
    } else if let Some(cell) = sheet.take("event") {
        When::Event {
            number: nth(&cell)?,
            name: text(sheet.take("name"))?,
        }
    } else {
        return Err(sheet.wrong("`when` needs `after`, `every`, `request` or `event`"));
    };
    sheet.finish()?;
    Ok(when)
}

impl Inner {
    /// What is to be done before this request is.
    pub(crate) fn due_at_request(&mut self, method: &str) -> Vec<Act> {
        self.due(|when| match when {
            When::Request {
                number,
                method: only,
            } => only
                .as_deref()
                .is_none_or(|only| only == method)
                .then_some(*number),
            _ => None,
        })
    }

    /// What is to be done before this event is sent.
    pub(crate) fn due_at_event(&mut self, name: &str) -> Vec<Act> {
        self.due(|when| match when {
            When::Event { number, name: only } => only
                .as_deref()
                .is_none_or(|only| only == name)
                .then_some(*number),
            _ => None,
        })
    }

    fn due(&mut self, number: impl Fn(&When) -> Option<u32>) -> Vec<Act> {
        let mut due = Vec::new();
        for step in &mut self.plan.steps {
            let Some(number) = number(&step.when) else {
                continue;
            };
            step.counted = step.counted.saturating_add(1);
            if step.counted == number {
                due.push(step.act.clone());
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Plan::from_toml(text, "p.toml").unwrap_err().to_string()
    }

    #[test]
    fn mistakes_are_pointed_at() {
        let start = "[[step]]\nwhen = { request = 1 }\n";
        let typo = refused(&format!("{start}do = \"cut-al\"\n"));
        assert_eq!(
            typo,
            "p.toml:3: there is no act `cut-al`; did you mean `cut-all`?"
        );
        let field = refused(&format!("{start}do = \"lose-events\"\ncont = 3\n"));
        assert_eq!(
            field,
            "p.toml:4: `lose-events` has no `cont`; did you mean `count`?"
        );
        assert!(refused(&format!("{start}do = \"lose-events\"\n")).contains("count"));
        assert!(refused("[[step]]\nwhen = {}\ndo = \"cut-all\"\n").contains("after"));
        assert!(refused("[[step]]\nwhen = { request = 0 }\ndo = \"cut-all\"\n").contains("1"));
    }

    #[test]
    fn every_act_is_called_what_it_is_called() {
        let examples = [
            r#"{"do":"cut-all"}"#,
            r#"{"do":"set-idp","up":false}"#,
            r#"{"do":"half-open-streams"}"#,
            r#"{"do":"misbehave","fault":"rate-limit","retry-after":"2s"}"#,
        ];
        for example in examples {
            let act: Act = serde_json::from_str(example).unwrap();
            assert!(example.contains(act.name()), "{example}: {}", act.name());
        }
        let extra = serde_json::from_str::<Act>(r#"{"do":"cut-all","on":true}"#);
        assert!(extra.is_err(), "{extra:?}");
    }
}
