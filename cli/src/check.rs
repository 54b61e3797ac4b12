//! `moorline check`: whether a wallet conforms.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use moorline_conformance::{
    DevWalletPerson, Interactive, Level, Login, Nobody, Options, Person, Profile,
};
use serde_json::{Value, json};

use crate::args::{CheckArgs, CredentialArgs, ProfileArg};
use crate::failure::Failure;
use crate::login::Shown;
use crate::output::{Output, complain, whole};

/// How long a person gets for each thing they are asked for.
const PERSON: Duration = Duration::from_secs(180);

pub(crate) async fn run(args: CheckArgs) -> Result<(), Failure> {
    if args.list {
        return Ok(whole(&moorline_conformance::list())?);
    }
    let output = Output::new(args.json);
    let report = match moorline_conformance::check(options(&args).await?).await {
        Ok(report) => report,
        Err(problem) => {
            output.object(&json!({ "type": "error", "message": problem.to_string() }));
            return Err(problem.into());
        }
    };
    for line in report.json_lines() {
        output.json_line(&line);
    }
    output.say(report.text().trim());
    if let Some(path) = &args.junit {
        std::fs::write(path, report.junit()).map_err(|source| Failure::Report {
            path: path.clone(),
            source,
        })?;
    }
    let must = report.tally(Level::Must);
    match must.failed {
        0 => Ok(()),
        failed => Err(Failure::DoesNotConform {
            failed,
            total: must.total,
        }),
    }
}

async fn options(args: &CheckArgs) -> Result<Options, Failure> {
    let url = args.url.clone().unwrap_or_default();
    let mut options = Options::new(url.as_str());
    options.person = person(args, &url).await?;
    options.profile = match args.profile {
        ProfileArg::Auto => Profile::Auto,
        ProfileArg::Strict => Profile::Strict,
        ProfileArg::G1 => Profile::G1,
        ProfileArg::G2 => Profile::G2,
    };
    options.login = login(&args.credential)?;
    options.only.clone_from(&args.only);
    options.timeout = args.timeout;
    options.commands = args.commands.as_deref().map(commands).transpose()?;
    Ok(options)
}

fn login(credential: &CredentialArgs) -> Result<Login, Failure> {
    Ok(match credential.shown()? {
        Shown::Nothing => Login::None,
        Shown::Token(token) => Login::Token(token),
        Shown::ApiKey(key) => Login::ApiKey(key),
        Shown::Client { issuer, id, secret } => Login::ClientCredentials {
            issuer,
            client_id: id,
            client_secret: secret,
        },
    })
}

async fn person(args: &CheckArgs, url: &str) -> Result<Arc<dyn Person>, Failure> {
    if let Some(admin) = &args.admin {
        return Ok(Arc::new(DevWalletPerson::new(admin)?));
    }
    // What is no address of a wallet is told when it is checked.
    if args.drive_dev_wallet && moorline_conformance::transport(url).is_some() {
        return Ok(Arc::new(DevWalletPerson::detect(url).await?));
    }
    if args.interactive {
        return Ok(Arc::new(Interactive::new(complain, PERSON)));
    }
    Ok(Arc::new(Nobody))
}

fn commands(path: &Path) -> Result<Value, Failure> {
    let bad = |why: String| Failure::BadCommands {
        path: path.to_owned(),
        why,
    };
    let text = std::fs::read_to_string(path).map_err(|problem| bad(problem.to_string()))?;
    let commands: Value =
        serde_json::from_str(&text).map_err(|problem| bad(problem.to_string()))?;
    match &commands {
        Value::Array(items) if !items.is_empty() => Ok(commands),
        _ => Err(bad(
            "a JSON array with at least one command is expected".into()
        )),
    }
}
