//! `[policy]`: everything of [`moorline::Policy`].

use moorline::Policy;

use super::problem::Problem;
use super::tree::Node;

pub(super) fn read(node: &Node) -> Result<Policy, Problem> {
    let mut policy = Policy::default();
    let mut table = node.table("`[policy]`")?;
    if let Some(node) = table.node("reconnect") {
        let reconnect = &mut policy.reconnect;
        let mut table = node.table("`policy.reconnect`")?;
        table.set("base", &mut reconnect.base)?;
        table.set("factor", &mut reconnect.factor)?;
        table.set("cap", &mut reconnect.cap)?;
        table.set("jitter", &mut reconnect.jitter)?;
        table.set_option("max_attempts", &mut reconnect.max_attempts)?;
        table.set_option("max_elapsed", &mut reconnect.max_elapsed)?;
        table.set("stable_after", &mut reconnect.stable_after)?;
        table.finish()?;
    }
    if let Some(node) = table.node("deadlines") {
        let deadlines = &mut policy.deadlines;
        let mut table = node.table("`policy.deadlines`")?;
        table.set("connect", &mut deadlines.connect)?;
        table.set("user_action", &mut deadlines.user_action)?;
        table.set("user_action_poll", &mut deadlines.user_action_poll)?;
        table.set("probe", &mut deadlines.probe)?;
        table.set("disconnect", &mut deadlines.disconnect)?;
        table.set("reauth", &mut deadlines.reauth)?;
        table.set("storage", &mut deadlines.storage)?;
        table.set("hook", &mut deadlines.hook)?;
        table.set("operation", &mut deadlines.operation)?;
        table.finish()?;
    }
    if let Some(node) = table.node("expiry") {
        let expiry = &mut policy.expiry;
        let mut table = node.table("`policy.expiry`")?;
        table.set_option("ttl", &mut expiry.ttl)?;
        table.set_option("update_age", &mut expiry.update_age)?;
        table.set_option("warning", &mut expiry.warning)?;
        table.set("clock_check", &mut expiry.clock_check)?;
        table.finish()?;
    }
    if let Some(node) = table.node("queue") {
        let queue = &mut policy.queue;
        let mut table = node.table("`policy.queue`")?;
        table.set("capacity", &mut queue.capacity)?;
        table.set("concurrency", &mut queue.concurrency)?;
        table.finish()?;
    }
    table.set("retry_first_connect", &mut policy.retry_first_connect)?;
    table.finish()?;
    policy
        .validate()
        .map_err(|error| node.problem(error.to_string()))?;
    Ok(policy)
}
