//! `moorline wallet`: the development wallet, until Ctrl-C.

use moorline_dev_wallet::DevWallet;
use serde_json::json;

use crate::args::WalletArgs;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;

pub(crate) async fn run(args: WalletArgs) -> Result<(), Failure> {
    let output = Output::new(args.json);
    let mut interrupt = Interrupt::listen()?;
    let wallet = DevWallet::builder()
        .accounts(args.accounts)
        .network(args.network.as_str())
        .approval(args.approval)
        .profile(args.profile)
        .require_login(args.require_login)
        .time_scale(args.time_scale)
        .admin(!args.no_admin)
        .listen(args.listen)
        .start()
        .await?;
    let url = wallet.url();
    let http_url = wallet.http_url();
    let parties: Vec<String> = wallet
        .accounts()
        .iter()
        .map(|account| account.party_id().to_owned())
        .collect();
    let open = !args.listen.ip().is_loopback();
    output.object(&json!({
        "type": "wallet:listening",
        "url": url,
        "httpUrl": http_url,
        "profile": args.profile.name(),
        "network": args.network,
        "accounts": parties,
        "reachableFromOutside": open,
    }));
    output.say(&format!(
        "a development wallet listens at {url} (Ctrl-C stops it)"
    ));
    output.say(&format!("http      {http_url}"));
    output.say(&format!("profile   {}", args.profile));
    output.say(&format!("network   {}", args.network));
    for party in &parties {
        output.say(&format!("account   {party}"));
    }
    if open {
        output.say("careful: it can be reached from other computers, and asks nobody who they are");
    }
    output.say(&format!("connect with: moorline connect {url}"));
    interrupt.requested().await;
    wallet.stop().await;
    Ok(())
}
