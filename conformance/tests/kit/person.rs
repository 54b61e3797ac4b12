//! A person at a development wallet in this process.

use std::time::Duration;

use moorline_conformance::{Deed, Doing, Person, Unable};
use moorline_dev_wallet::{Approval, Control, HttpFault, Place};

#[derive(Debug)]
pub(crate) struct AtTheWallet(pub(crate) Control);

impl Person for AtTheWallet {
    fn does<'a>(&'a self, deed: Deed<'a>) -> Doing<'a> {
        let wallet = &self.0;
        let done = match deed {
            Deed::ExpectToApprove => {
                wallet.set_approval(Approval::Auto);
                Ok(())
            }
            Deed::ExpectToReject => {
                wallet.set_approval(Approval::Reject);
                Ok(())
            }
            Deed::ExpectToBeAsked => {
                wallet.set_approval(Approval::Manual);
                Ok(())
            }
            Deed::LogIn(_) | Deed::Approve(_) => {
                wallet.approve();
                Ok(())
            }
            Deed::Reject(_) => {
                wallet.reject();
                Ok(())
            }
            Deed::SwitchParty => wallet
                .switch_party("bob")
                .map_err(|problem| Unable(problem.to_string())),
            Deed::CutNetwork => {
                wallet.set_network_link(false);
                Ok(())
            }
            Deed::RestoreNetwork => {
                wallet.set_network_link(true);
                Ok(())
            }
            Deed::BreakLedger | Deed::MendLedger => {
                wallet.fail_transactions(matches!(deed, Deed::BreakLedger));
                Ok(())
            }
            Deed::StopIdentityProvider | Deed::StartIdentityProvider => {
                wallet.idp_down(matches!(deed, Deed::StopIdentityProvider));
                Ok(())
            }
            Deed::ExceedLimit => {
                let retry_after = Some(Duration::from_secs(1));
                let fault = HttpFault::RateLimit { retry_after };
                wallet.misbehave_at(Place::Dapp, Some("isConnected"), fault, Some(1));
                Ok(())
            }
            Deed::ExpireSession => {
                wallet.expire_session();
                Ok(())
            }
            Deed::LogOut => {
                wallet.end_session();
                Ok(())
            }
            other => Err(Unable(format!("{other:?}"))),
        };
        Box::pin(std::future::ready(done))
    }
}
