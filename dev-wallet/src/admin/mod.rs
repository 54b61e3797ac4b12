//! The admin endpoint: everything that `Control` does, at run time.

use crate::http::{Asked, Reply};
use crate::state::DevWalletState;

pub(crate) async fn serve(_state: &DevWalletState, _asked: Asked) -> Reply {
    Reply::text(404, "not yet\n")
}
