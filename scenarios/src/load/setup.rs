//! `[wallet]` and `[session]`: what a scenario begins with.

use super::happenings::hook_plan;
use super::problem::Problem;
use super::tree::{Node, Tree};
use super::values::accounts;
use super::wallet::{call, script};
use crate::model::{SessionSetup, WalletSetup};

pub(super) fn wallet(node: &Node) -> Result<WalletSetup, Problem> {
    let mut setup = WalletSetup::default();
    let mut table = node.table("`[wallet]`")?;
    if let Some(node) = table.node("accounts") {
        setup.accounts = accounts(node)?;
    }
    table.set_option("network", &mut setup.network)?;
    table.set("link", &mut setup.link)?;
    table.set_option("expires_in", &mut setup.expires_in)?;
    if let Some(node) = table.node("capabilities") {
        let able = &mut setup.capabilities;
        let mut table = node.table("`wallet.capabilities`")?;
        table.set("events", &mut able.events)?;
        table.set("silent_open", &mut able.silent_open)?;
        table.set("reauthentication", &mut able.reauthentication)?;
        table.set("disconnect", &mut able.disconnect)?;
        table.finish()?;
    }
    if let Some(node) = table.node("on") {
        let Tree::Table(entries) = &node.tree else {
            return Err(node.expected("a table of calls"));
        };
        for entry in entries {
            let on = call(&entry.key, &entry.span)?;
            setup.on.push((on, script(&entry.node)?));
        }
    }
    table.finish()?;
    Ok(setup)
}

pub(super) fn session(node: &Node) -> Result<SessionSetup, Problem> {
    let mut setup = SessionSetup::default();
    let mut table = node.table("`[session]`")?;
    table.set("store", &mut setup.store)?;
    table.set("bus", &mut setup.bus)?;
    table.set("shared", &mut setup.shared)?;
    if setup.shared && (setup.bus || !setup.store) {
        return Err(node.problem(
            "`shared` needs a store, and takes the place of `bus`: a session hears of others one way",
        ));
    }
    table.set("event_capacity", &mut setup.event_capacity)?;
    if let Some(node) = table.node("budget") {
        let mut table = node.table("`session.budget`")?;
        setup.budget = Some((table.need("per_second")?, table.need("burst")?));
        table.finish()?;
    }
    if let Some(node) = table.node("on_reauth") {
        setup.reauth = Some(hook_plan(node)?);
    }
    if let Some(node) = table.node("on_invalidate") {
        setup.invalidate = Some(hook_plan(node)?);
    }
    table.finish()?;
    Ok(setup)
}
