//! Files that could not be played are refused, with the place and what would be right.

use moorline_scenarios::{discover, load, parse};

/// A scenario with these steps; the first of them begins in line 3.
fn with_steps(steps: &str) -> String {
    format!("name = \"t\"\ntitle = \"t\"\n{steps}")
}

fn refused(text: &str) -> String {
    match parse("t.scenario.toml", text) {
        Ok(_) => "accepted".into(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn unknown_keys_are_refused_with_a_suggestion() {
    for (steps, expected) in [
        (
            "[[step]]\nuser = \"connect\"\nexpect.staus = \"connected\"\n",
            "t.scenario.toml:5:8: unknown key `staus` in an expectation; did you mean `status`?",
        ),
        (
            "[[step]]\nusr = \"connect\"\n",
            "t.scenario.toml:4:1: unknown key `usr` in a step; did you mean `user`?",
        ),
        (
            "[[step]]\nuser = \"connect\"\nwithn = \"1s\"\n",
            "t.scenario.toml:5:1: unknown key `withn` in a step; known are `as`, `expect`, `note`, \
             `user`",
        ),
        (
            "polcy = {}\n[[step]]\nuser = \"connect\"\n",
            "t.scenario.toml:3:1: unknown key `polcy` in a scenario; did you mean `policy`?",
        ),
        (
            "policy.reconnect.bas = \"1s\"\n[[step]]\nuser = \"connect\"\n",
            "t.scenario.toml:3:18: unknown key `bas` in `policy.reconnect`; did you mean `base`?",
        ),
        (
            "[[step]]\nexpect.events = [{ type = \"reconnect:attempt\", atempt = 1 }]\n",
            "t.scenario.toml:4:48: unknown key `atempt` in an event; did you mean `attempt`?",
        ),
        (
            "[[step]]\nexpect.events = [{ type = \"session:connecting\", attempt = 1 }]\n",
            "t.scenario.toml:4:49: unknown key `attempt` in an event; known are `after`, `at`, \
             `epoch`, `seq`, `type`",
        ),
    ] {
        assert_eq!(refused(&with_steps(steps)), expected);
    }
}

#[test]
fn bad_values_are_refused_with_what_would_do() {
    for (steps, expected) in [
        (
            "[[step]]\nuser = \"conect\"\n",
            "t.scenario.toml:4:8: `conect` is not something a user does; did you mean `connect`?",
        ),
        (
            "[[step]]\nadvance = \"5 parsecs\"\n",
            "t.scenario.toml:4:11: `5 parsecs` is not a duration such as \"1500ms\", \"30d\" or \
             \"1h 30m\": unknown time unit \"parsecs\", supported units: ns, us/µs, ms, sec, min, \
             hours, days, weeks, months, years (and few variations)",
        ),
        (
            "[[step]]\nadvance = 5\n",
            "t.scenario.toml:4:11: expected a duration such as \"1500ms\", \"30d\" or \"1h 30m\", \
             found a whole number",
        ),
        (
            "[[step]]\nexpect.status = \"conected\"\n",
            "t.scenario.toml:4:17: `conected` is not a status; did you mean `connected`?",
        ),
        (
            "[[step]]\nexpect.reason = \"tired\"\n",
            "t.scenario.toml:4:17: `tired` is not a reason to be disconnected; known are `closed`, \
             `connect-failed`, `detached`, `expired`, `gave-up`, `initial`, `reauth-failed`, \
             `remote`, `revoked`, `user`",
        ),
        (
            "[[step]]\nexpect.events = [\"session:conected\"]\n",
            "t.scenario.toml:4:18: `session:conected` is not a type of event; did you mean \
             `session:connected`?",
        ),
        (
            "[[step]]\nwallet = \"drop\"\nerror = \"unreachble\"\n",
            "t.scenario.toml:5:9: `unreachble` is not a kind of error; did you mean `unreachable`?",
        ),
        (
            "[[step]]\nexpect.held = -1\n",
            "t.scenario.toml:4:15: -1 is out of range here",
        ),
        (
            "policy.reconnect.factor = 0.5\n[[step]]\nuser = \"connect\"\n",
            "t.scenario.toml:3:1: policy `reconnect.factor` is 0.5: at least 1",
        ),
        (
            "[[step]]\nexpect.record = \"tombstone boredom\"\n",
            "t.scenario.toml:4:17: `tombstone boredom` is not a record: write \"absent\", \
             \"unreadable\", \"tombstone REASON\" or a table",
        ),
    ] {
        assert_eq!(refused(&with_steps(steps)), expected);
    }
}

#[test]
fn impossible_steps_are_refused() {
    for (steps, expected) in [
        (
            "[[step]]\nuser = \"connect\"\nwallet = \"drop\"\n",
            "t.scenario.toml:5:1: a step has one of `user` and `wallet`, not both: make it two \
             steps",
        ),
        (
            "[[step]]\nnote = \"?\"\n",
            "t.scenario.toml:3:1: nothing happens in this step and nothing is expected: give it \
             `user`, `wallet`, `advance`, another actor or `expect`",
        ),
        (
            "[[step]]\nuser = \"await\"\nof = \"helo\"\n",
            "t.scenario.toml:3:1: nothing was started under the name `helo` before this step",
        ),
        (
            "[[step]]\nuser = \"connect\"\nas = \"hello\"\n[[step]]\nexpect.results.helo = \"ok\"\n",
            "t.scenario.toml:6:1: nothing was started under the name `helo` before this step; did \
             you mean `hello`?",
        ),
        (
            "[[step]]\nuser = \"connect\"\nas = \"hello\"\nexpect.result = \"ok\"\n",
            "t.scenario.toml:3:1: `result` is what a step waits for itself: for something that was \
             started by name, write `results.NAME`",
        ),
        (
            "[[step]]\nuser = \"drop\"\n[[step]]\nuser = \"connect\"\n",
            "t.scenario.toml:5:1: the last handle was dropped: nothing can be done before a \
             `restart`",
        ),
        (
            "[[step]]\nother = \"disconnected\"\n",
            "t.scenario.toml:3:1: nobody shares this session: set `bus = true` in `[session]`",
        ),
        (
            "[[step]]\nsecond = \"connect\"\n",
            "t.scenario.toml:3:1: the store is not shared: set `shared = true` in `[session]`",
        ),
        (
            "session.shared = true\n[[step]]\nuser = \"connect\"\nexpect.second.probes = 1\n",
            "t.scenario.toml:4:1: there is no second process yet: begin with `second = \"connect\"`",
        ),
        (
            "session.shared = true\nsession.bus = true\n[[step]]\nuser = \"connect\"\n",
            "t.scenario.toml:3:1: `shared` needs a store, and takes the place of `bus`: a session \
             hears of others one way",
        ),
        (
            "session.store = false\n[[step]]\nstore = \"fails\"\n",
            "t.scenario.toml:4:1: there is no store: set `store = true` in `[session]`",
        ),
        (
            "[[step]]\nhook = \"reauth\"\ndoes = \"ok\"\n",
            "t.scenario.toml:3:1: this hook is not set: give `[session]` the key `on_reauth`",
        ),
        (
            "[[step]]\nwallet = \"script\"\ncall = \"open\"\ndoes = [\"answer\", \"silence\"]\n",
            "t.scenario.toml:6:9: without `times` this lasts for ever, and what follows is never \
             played",
        ),
        (
            "[[step]]\nwallet = \"drop\"\nsilently = true\n",
            "t.scenario.toml:4:10: this changes nothing but what the wallet says: it cannot be \
             done `silently`",
        ),
    ] {
        assert_eq!(refused(&with_steps(steps)), expected);
    }
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!(
        refused("name = \"t\"\n"),
        "t.scenario.toml:1:1: a scenario needs the key `title`"
    );
    assert_eq!(
        refused(&with_steps("")),
        "t.scenario.toml:1:1: a scenario needs at least one `[[step]]`"
    );
    assert_eq!(
        refused(&with_steps("[[step]]\nuser = \"request\"\n")),
        "t.scenario.toml:3:1: a step needs the key `method`"
    );
    let broken = refused("name = \"t\ntitle = 1");
    assert!(broken.starts_with("t.scenario.toml:1:"), "{broken}");
    assert!(broken.contains("not TOML: "), "{broken}");
}

#[test]
fn paths_that_lead_nowhere_are_named() {
    let error = load("nowhere.scenario.toml").unwrap_err().to_string();
    assert!(error.starts_with("nowhere.scenario.toml: "), "{error}");
    let empty = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let error = discover([empty]).unwrap_err().to_string();
    assert!(
        error.ends_with("name a file to play it whatever it is called"),
        "{error}"
    );
    // A file is taken whatever it is called.
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    assert_eq!(discover([manifest]).unwrap().len(), 1);
}
