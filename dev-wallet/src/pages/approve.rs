//! Where a person looks at a transaction or a message, and decides.

use super::html::{escape, page as frame};
use super::problem;
use crate::gateway::{Message, Stage, Transaction};
use crate::http::{Asked, Reply};
use crate::state::DevWalletState;

/// The page.
pub(super) fn page(state: &DevWalletState, asked: &Asked) -> Reply {
    let transaction = asked.query("transactionId");
    let message = asked.query("messageId");
    let inner = state.lock();
    if let Some(found) = transaction.and_then(|id| inner.transaction(id)) {
        return Reply::page(200, frame("Approve a transaction", &about(found)));
    }
    let messages = &inner.gateway.messages;
    if let Some(found) = message.and_then(|id| messages.iter().find(|it| it.id == id)) {
        return Reply::page(200, frame("Sign a message", &about_message(found)));
    }
    drop(inner);
    problem(
        404,
        "There is no such transaction. It may have been decided already.",
    )
}

fn about(transaction: &Transaction) -> String {
    let commands: serde_json::Value =
        serde_json::from_str(&transaction.commands).unwrap_or_default();
    let pretty = serde_json::to_string_pretty(&commands).unwrap_or_default();
    let origin = transaction
        .origin
        .as_deref()
        .unwrap_or("a program that did not say where it is");
    let facts = format!(
        "<dl><dt>Command</dt><dd>{}</dd><dt>Acting as</dt><dd>{}</dd><dt>Asked by</dt><dd>{}</dd>\
         <dt>Status</dt><dd id=\"status\">{}</dd></dl>\n<h2>Commands</h2>\n<pre>{}</pre>\n",
        escape(&transaction.command_id),
        escape(&transaction.act_as.join(", ")),
        escape(origin),
        transaction.stage.name(),
        escape(&pretty),
    );
    match transaction.stage {
        Stage::Pending | Stage::Signed => facts + &buttons(&transaction.id, "Approve"),
        Stage::Executed | Stage::Failed => {
            facts + "<p class=\"done\" role=\"status\">This transaction is over.</p>"
        }
    }
}

fn about_message(message: &Message) -> String {
    let text = format!("<pre>{}</pre>\n", escape(&message.text));
    if message.decided {
        text + "<p class=\"done\" role=\"status\">This message was decided on.</p>"
    } else {
        text + &buttons(&message.id, "Sign")
    }
}

fn buttons(id: &str, yes: &str) -> String {
    format!(
        "<form method=\"post\" action=\"/approve/\">\n\
         <input type=\"hidden\" name=\"id\" value=\"{}\">\n<div class=\"actions\">\
         <button class=\"main\" id=\"approve\" name=\"decision\" value=\"approve\">{yes}</button>\
         <button id=\"reject\" name=\"decision\" value=\"reject\">Reject</button></div>\n</form>\n",
        escape(id)
    )
}

/// A person has decided.
pub(super) fn decide(state: &DevWalletState, asked: &Asked) -> Reply {
    let fields = asked.form();
    let field = |name: &str| {
        let mut fields = fields.iter();
        let found = fields.find(|(it, _)| it == name);
        found.map(|(_, it)| it.as_str()).unwrap_or_default()
    };
    let (outcome, title, told) = match field("decision") {
        "approve" => (
            state.approve_by_id(field("id")),
            "Approved",
            "It was signed and sent.",
        ),
        "reject" => (
            state.reject_by_id(field("id")),
            "Rejected",
            "Nothing was sent.",
        ),
        _ => return problem(400, "Approve or reject?"),
    };
    match outcome {
        Ok(()) => {
            let body = format!(
                "<p class=\"done\" role=\"status\" id=\"decided\">{told} \
                 You may close this page.</p>"
            );
            Reply::page(200, frame(title, &body))
        }
        Err(error) => problem(409, error.message()),
    }
}
