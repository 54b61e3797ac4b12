//! What a test does to the wallet, and asks of it.

use moorline::provider::{
    ErrorKind, EventSink, Message, ProviderError, ProviderEvent, ProviderPayload,
};
use moorline::{Account, Epoch, NetworkId, NetworkLink, Timestamp, UserAction};
use serde_json::Value;

use crate::behaviour::{Behaviour, On, Script};
use crate::state::Wallet;
use crate::traffic::Call;

/// The control over a scripted wallet. Cheap to clone; clones control the same wallet.
///
/// Methods that begin with `set` change the wallet and say nothing; the others also tell the
/// session, through the sink of its latest connection, and return whether it still listens.
#[derive(Clone, Debug)]
pub struct Control {
    wallet: Wallet,
}

/// How it answers.
impl Control {
    pub(crate) fn new(wallet: Wallet) -> Self {
        Self { wallet }
    }

    pub(crate) fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    /// Treats calls of this kind so from the next one on, instead of whatever was scripted before.
    pub fn on(&self, call: On, script: impl Into<Script>) {
        self.wallet.lock().script(call, script.into());
    }

    /// Behaves well from now on.
    pub fn behave(&self) {
        self.wallet.lock().forget_scripts();
    }

    /// Answers the oldest call of this kind that waits in silence (or through a delay), now.
    /// `false` if nobody waits: the session may have stopped waiting for it.
    pub fn answer(&self, call: &On) -> bool {
        self.answer_with(call, Behaviour::answer())
    }

    /// Like [`answer`](Self::answer), as this behaviour says.
    pub fn answer_with(&self, call: &On, behaviour: Behaviour) -> bool {
        self.wallet.overrule(call, behaviour)
    }
}

/// What it says by itself.
impl Control {
    /// Says something through the latest connection.
    pub fn push(&self, event: ProviderEvent) -> bool {
        self.wallet.push(event)
    }

    /// Says something through the connection of an epoch, an old one for instance. `false` too if
    /// there never was one.
    pub fn push_to(&self, epoch: Epoch, event: ProviderEvent) -> bool {
        let wallet = self.wallet.lock();
        let sink = wallet
            .sinks
            .iter()
            .rev()
            .find(|s| s.epoch() == epoch)
            .cloned();
        drop(wallet);
        sink.is_some_and(|sink| sink.send(event))
    }

    /// The epochs of all connections that were opened, oldest first.
    pub fn epochs(&self) -> Vec<Epoch> {
        self.wallet
            .lock()
            .sinks
            .iter()
            .map(EventSink::epoch)
            .collect()
    }

    /// Says the same thing `times` times in a row.
    pub fn storm(&self, times: usize, event: &ProviderEvent) {
        for _ in 0..times {
            self.push(event.clone());
        }
    }

    /// The link breaks. The wallet itself stays as it is: the next attempt finds it well.
    pub fn drop_link(&self, error: ProviderError) -> bool {
        self.push(ProviderEvent::Dropped(error))
    }

    /// The wallet goes away: the link breaks, and every call fails with `error` until
    /// [`come_back`](Self::come_back).
    pub fn go_away(&self, error: ProviderError) -> bool {
        self.set_away(Some(error.clone()));
        self.drop_link(error)
    }

    /// The wallet is back, and says so by itself.
    pub fn come_back(&self) -> bool {
        self.set_away(None);
        self.push(ProviderEvent::Ready)
    }

    /// Whether every call fails, and with what.
    pub fn set_away(&self, error: Option<ProviderError>) {
        self.wallet.lock().away = error;
    }

    /// The wallet ends the session for certain.
    pub fn revoke(&self) -> bool {
        self.set_revoked(true);
        self.push(ProviderEvent::Dropped(crate::state::session_gone()))
    }

    /// Whether the wallet has forgotten the session.
    pub fn set_revoked(&self, revoked: bool) {
        self.wallet.lock().revoked = revoked;
    }

    /// The person did what was asked for.
    pub fn approve(&self) -> bool {
        self.set_awaiting_user(false);
        self.push(ProviderEvent::Ready)
    }

    /// The person said no.
    pub fn reject(&self) -> bool {
        let error = ProviderError::from_code(4001, "the person said no");
        self.push(ProviderEvent::UserRejected(error))
    }

    /// Whether a person has something to do before probes are answered.
    pub fn set_awaiting_user(&self, awaiting: bool) {
        self.wallet.lock().awaiting_user = awaiting;
    }

    /// Asks for a person while a connection is being opened.
    pub fn ask_for_person(&self, action: UserAction) -> bool {
        self.set_awaiting_user(true);
        self.push(ProviderEvent::UserActionRequired(action))
    }

    /// Other accounts: another primary one, another order, more or fewer.
    pub fn change_accounts(&self, accounts: Vec<Account>) -> bool {
        self.set_accounts(accounts.clone());
        self.push(ProviderEvent::Accounts(accounts))
    }

    /// Sets the accounts.
    pub fn set_accounts(&self, accounts: Vec<Account>) {
        self.wallet.lock().accounts = accounts;
    }

    /// Another network.
    pub fn change_network(&self, network: NetworkId) -> bool {
        self.set_network(Some(network.clone()));
        self.push(ProviderEvent::Network(network))
    }

    /// Sets the network.
    pub fn set_network(&self, network: Option<NetworkId>) {
        self.wallet.lock().network = network;
    }

    /// The wallet loses or finds its network.
    pub fn change_link(&self, link: NetworkLink) -> bool {
        self.set_link(link);
        self.push(ProviderEvent::Link(link))
    }

    /// Sets whether the wallet reaches its network.
    pub fn set_link(&self, link: NetworkLink) {
        self.wallet.lock().link = link;
    }

    /// The credentials end at another time.
    pub fn change_expiry(&self, at: Timestamp) -> bool {
        self.set_expiry(Some(at));
        self.push(ProviderEvent::Expires(at))
    }

    /// Sets when the credentials end.
    pub fn set_expiry(&self, at: Option<Timestamp>) {
        self.wallet.lock().expires_at = at;
    }

    /// The provider needs something else to be built again, a token that was renewed for instance.
    /// [`Behaviour::with_payload`] does it with an answer.
    pub fn change_payload(&self, payload: ProviderPayload) -> bool {
        self.wallet.change_payload(payload)
    }

    /// Sets what the provider needs to be built again; `None` for nothing but its kind.
    pub fn set_payload(&self, payload: Option<ProviderPayload>) {
        self.wallet.lock().payload = Ok(payload);
    }

    /// Sets why the provider cannot tell what it needs to be built again, until it can.
    pub fn set_payload_error(&self, error: ProviderError) {
        self.wallet.lock().payload = Err(error);
    }

    /// Something that cannot be understood.
    pub fn malformed(&self, what: &str, problem: &str) -> bool {
        self.push(ProviderEvent::Malformed {
            what: what.into(),
            problem: problem.into(),
        })
    }

    /// Something of the wallet's own protocol.
    pub fn message(&self, name: &str, payload: Value) -> bool {
        self.push(ProviderEvent::Message(Message::new(name, payload)))
    }

    /// Fails every call that is not answered yet, as a link that breaks under them does. Returns
    /// how many there were.
    pub fn fail_pending(&self, message: &str) -> usize {
        let error = ProviderError::new(ErrorKind::Unreachable, message);
        let kinds = [
            On::Open,
            On::Probe,
            On::Request,
            On::Close,
            On::Reauthenticate,
        ];
        let fail = |on| self.answer_with(on, Behaviour::fail(error.clone()));
        kinds
            .iter()
            .map(|on| {
                std::iter::repeat_with(|| fail(on))
                    .take_while(|failed| *failed)
                    .count()
            })
            .sum()
    }
}

/// What it saw.
impl Control {
    /// Every call that reached the wallet, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.wallet.lock().calls.clone()
    }

    /// How many calls of this kind reached the wallet.
    pub fn count(&self, call: &On) -> usize {
        let wallet = self.wallet.lock();
        wallet
            .calls
            .iter()
            .filter(|made| made.what.is(call))
            .count()
    }

    /// How many calls are neither answered nor dropped.
    pub fn pending(&self) -> usize {
        self.wallet.lock().pending()
    }

    /// How often the wallet executed a request of this method, whether or not its answer arrived.
    pub fn executions(&self, method: &str) -> u64 {
        let wallet = self.wallet.lock();
        wallet.executions.get(method).copied().unwrap_or_default()
    }

    /// How many requests the wallet executed.
    pub fn total_executions(&self) -> u64 {
        self.wallet.lock().executions.values().sum()
    }
}
