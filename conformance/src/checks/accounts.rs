//! `listAccounts`, `getPrimaryAccount`.

use super::{accounts_list, none_of, shaped, some_accounts};
use crate::check::{Check, Finding, Problem, check, ensure};
use crate::evidence::Evidence;
use crate::shape;

const LIST: &str = "CIP-0103, listAccounts; OpenRPC dApp API, Wallet";
const PRIMARY: &str = "CIP-0103, getPrimaryAccount (\"exactly one party as the primary party\")";

pub(super) const CHECKS: &[Check] = &[
    check!(Must Both "accounts.shape", "`listAccounts` answers a list of accounts", LIST,
        "answer an array of accounts with all required fields", [], |e| shaped(e, "in/listAccounts", shape::accounts, "accounts")),
    check!(Must Both "accounts.one-primary", "exactly one account is primary", PRIMARY,
        "mark one account with `primary: true`, and only one", [], one_primary),
    check!(Must Both "accounts.distinct", "no party is listed twice on a network", LIST,
        "list every party once", [], distinct),
    check!(Should Both "accounts.party", "a party id is `name::fingerprint`", "CIP-0103, listAccounts (\"a Canton party\")",
        "answer the party id as the ledger knows it", [], party),
    check!(Should Both "accounts.namespace", "the namespace of an account is that of its party id", LIST,
        "set `namespace` to what follows `::` in the party id", [], namespace),
    check!(Should Both "accounts.no-extra-fields", "an account has no fields beyond its description", "OpenRPC dApp API, Wallet (additionalProperties: false)",
        "leave fields out that the description does not have", [], extra),
    check!(Must Both "primary.shape", "`getPrimaryAccount` answers an account", "CIP-0103, getPrimaryAccount; OpenRPC dApp API, Wallet",
        "answer one account, with all required fields", [], primary_shape),
    check!(Must Both "primary.listed", "the primary account is the one marked in the list", PRIMARY,
        "answer the account that `listAccounts` marks as primary", [], listed),
    check!(Must Both "primary.on-network", "the primary account is on the active network", "CIP-0103, listAccounts (\"the primary account (and the corresponding network)\")",
        "keep the primary account and the active network together", [], on_network),
];

fn one_primary(e: &Evidence) -> Finding {
    let primaries = some_accounts(e)?
        .iter()
        .filter(|it| it["primary"] == true)
        .count();
    ensure(primaries == 1, "one primary account", || {
        primaries.to_string()
    })
}

fn distinct(e: &Evidence) -> Finding {
    let accounts = some_accounts(e)?;
    for (index, account) in accounts.iter().enumerate() {
        let again = accounts.iter().skip(index + 1);
        let same = |it: &&serde_json::Value| {
            it["partyId"] == account["partyId"] && it["networkId"] == account["networkId"]
        };
        ensure(again.filter(same).count() == 0, "every party once", || {
            e.show(&account["partyId"])
        })?;
    }
    Ok(())
}

fn party(e: &Evidence) -> Finding {
    for account in some_accounts(e)? {
        let id = account["partyId"].as_str().unwrap_or_default();
        ensure(shape::is_party(id), "`name::fingerprint`", || {
            e.show(&account["partyId"])
        })?;
    }
    Ok(())
}

fn namespace(e: &Evidence) -> Finding {
    for account in some_accounts(e)? {
        let id = account["partyId"].as_str().unwrap_or_default();
        let print = id.split_once("::").map(|it| it.1);
        ensure(
            account["namespace"].as_str() == print,
            "the part after `::`",
            || e.show(account),
        )?;
    }
    Ok(())
}

fn extra(e: &Evidence) -> Finding {
    let accounts = some_accounts(e)?.iter().enumerate();
    let found =
        accounts.flat_map(|(index, it)| shape::account_strangers(it, &format!("result[{index}]")));
    none_of(found.collect(), "no other fields")
}

fn primary_shape(e: &Evidence) -> Finding {
    if accounts_list(e)?.is_empty() {
        return Err(Problem::not_checked("the wallet has no account"));
    }
    shaped(e, "in/getPrimaryAccount", shape::account, "an account")
}

fn listed(e: &Evidence) -> Finding {
    let accounts = some_accounts(e)?;
    let primary = e.result("in/getPrimaryAccount")?;
    let marked = accounts.iter().find(|it| it["primary"] == true);
    ensure(
        primary["primary"] == true && marked.is_some_and(|it| it["partyId"] == primary["partyId"]),
        "the account marked as primary",
        || e.show(primary),
    )
}

fn on_network(e: &Evidence) -> Finding {
    some_accounts(e)?;
    let primary = &e.result("in/getPrimaryAccount")?["networkId"];
    let active = &e.result("in/getActiveNetwork")?["networkId"];
    ensure(primary == active, "the same network", || {
        format!("{primary}, while {active} is active")
    })
}
