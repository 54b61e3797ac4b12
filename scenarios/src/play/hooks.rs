//! Application hooks that do as they are told.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moorline::event::Invalidation;
use moorline::session::{HookError, Reauth};
use serde_json::Value;

use crate::model::{HookBehaviour, HookDoes, HookPlan};

/// A hook and how often it was called.
#[derive(Clone, Debug, Default)]
pub(super) struct ScriptedHook(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    plan: VecDeque<(HookBehaviour, Option<u32>)>,
    calls: u64,
    /// What it was called with, for people.
    told: Vec<String>,
}

impl ScriptedHook {
    pub(super) fn new(plan: &HookPlan) -> Self {
        let hook = Self::default();
        hook.replan(plan);
        hook
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn replan(&self, plan: &HookPlan) {
        self.lock().plan = plan.iter().cloned().collect();
    }

    pub(super) fn calls(&self) -> u64 {
        self.lock().calls
    }

    pub(super) fn told(&self) -> Vec<String> {
        self.lock().told.clone()
    }

    /// A call: what is done about it.
    fn call(&self, told: String) -> Option<HookBehaviour> {
        let mut inner = self.lock();
        inner.calls += 1;
        inner.told.push(told);
        while let Some((behaviour, times)) = inner.plan.front_mut() {
            match times {
                None => return Some(behaviour.clone()),
                Some(0) => {
                    inner.plan.pop_front();
                }
                Some(times) => {
                    *times -= 1;
                    return Some(behaviour.clone());
                }
            }
        }
        None
    }

    pub(super) async fn reauthenticate(
        self,
        reauth: Reauth,
        renew: impl AsyncFnOnce(Option<Duration>),
    ) -> Result<(), HookError> {
        let request = &reauth.request;
        let told = format!("{:?} {:?}", request.reason, request.identity);
        let Some(behaviour) = self.call(told) else {
            return Ok(());
        };
        if !behaviour.after.is_zero() {
            tokio::time::sleep(behaviour.after).await;
        }
        if let Some(method) = &behaviour.request {
            reauth.wallet.request(method.clone(), Value::Null).await?;
        }
        if matches!(behaviour.does, HookDoes::Ok) {
            renew(behaviour.credentials).await;
        }
        end(behaviour).await
    }

    pub(super) async fn invalidate(self, what: Invalidation) -> Result<(), HookError> {
        let told = match &what {
            Invalidation::Party { previous, current } => format!("party {previous} -> {current}"),
            Invalidation::Network { previous, current } => {
                format!("network {previous} -> {current}")
            }
            other => format!("{other:?}"),
        };
        let Some(behaviour) = self.call(told) else {
            return Ok(());
        };
        if !behaviour.after.is_zero() {
            tokio::time::sleep(behaviour.after).await;
        }
        end(behaviour).await
    }
}

async fn end(behaviour: HookBehaviour) -> Result<(), HookError> {
    match behaviour.does {
        HookDoes::Ok => Ok(()),
        HookDoes::Fail(error) => Err(error.into()),
        HookDoes::Hang => pending().await,
        // A scripted panic is no news: it passes by the panic hook.
        HookDoes::Panic => std::panic::resume_unwind(Box::new("scripted panic")),
    }
}
