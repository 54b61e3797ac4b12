//! `moorline wallet`: the development wallet, until Ctrl-C.

use std::net::{Ipv4Addr, SocketAddr};

use moorline_dev_wallet::{DevWallet, DevWalletBuilder, DevWalletConfig, Plan};
use serde_json::json;

use crate::args::WalletArgs;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;

/// Where a wallet listens if nobody says.
const PORT: u16 = 4103;

pub(crate) async fn run(args: WalletArgs) -> Result<(), Failure> {
    let output = Output::new(args.json);
    let mut interrupt = Interrupt::listen()?;
    let wallet = builder(&args)?.start().await?;
    present(&wallet, output);
    interrupt.requested().await;
    wallet.stop().await;
    Ok(())
}

/// The wallet that was asked for: the file first, then what was said on the command line.
fn builder(args: &WalletArgs) -> Result<DevWalletBuilder, Failure> {
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    let mut builder = DevWallet::builder().listen(loopback);
    if let Some(file) = &args.config {
        builder = builder.config(DevWalletConfig::from_file(file)?);
    }
    if let Some(file) = &args.scenario {
        builder = builder.plan(Plan::from_file(file)?);
    }
    if let Some(listen) = args.listen {
        builder = builder.listen(listen);
    }
    if !args.accounts.is_empty() {
        builder = builder.accounts(args.accounts.iter().map(String::as_str));
    }
    if let Some(network) = &args.network {
        builder = builder.network(network.as_str());
    }
    if let Some(approval) = args.approval {
        builder = builder.approval(approval);
    }
    if let Some(profile) = args.profile {
        builder = builder.profile(profile);
    }
    if let Some(scale) = args.time_scale {
        builder = builder.time_scale(scale);
    }
    if let Some(interval) = args.heartbeat {
        builder = builder.heartbeat(interval);
    }
    if let Some(ttl) = args.ttl {
        builder = builder.session_ttl(ttl).token_ttl(ttl);
    }
    if args.require_login {
        builder = builder.require_login(true);
    }
    if args.no_admin {
        builder = builder.admin(false);
    }
    Ok(builder)
}

/// Says where it is, who it is, and how to get in.
fn present(wallet: &DevWallet, output: Output) {
    let (url, http_url) = (wallet.url(), wallet.http_url());
    let (profile, network) = (wallet.profile(), wallet.network());
    let accounts = wallet.accounts();
    let parties: Vec<&str> = accounts.iter().map(|it| it.party_id()).collect();
    let open = !wallet.address().ip().is_loopback();
    output.object(&json!({
        "type": "wallet:listening",
        "url": url,
        "httpUrl": http_url,
        "adminUrl": wallet.admin_url(),
        "profile": profile.name(),
        "network": network,
        "accounts": parties,
        "reachableFromOutside": open,
    }));
    output.say(&format!(
        "a development wallet listens at {url} (Ctrl-C stops it)"
    ));
    output.say(&format!("http      {http_url}"));
    if let Some(admin) = wallet.admin_url() {
        output.say(&format!("admin     {admin}"));
    }
    output.say(&format!("profile   {profile}"));
    output.say(&format!("network   {network}"));
    for party in &parties {
        output.say(&format!("account   {party}"));
    }
    if open {
        output.say("careful: it can be reached from other computers, and asks nobody who they are");
    } else {
        output.say("only this computer can reach it");
    }
    let base = http_url.trim_end_matches("/api/v0/dapp");
    if wallet.needs_login() {
        output.say(&format!(
            "over HTTP log in at {base}/login/, or with a token of {base}/idp"
        ));
    }
    output.say(&format!("connect with: moorline connect {url}"));
}
