//! Data as those who hold a session see it.

use std::any::TypeId;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::DataError;
use super::cache::{Asked, At, Cache};
use super::event::{FetchCause, InvalidatedBy};
use super::fetch::Source;
use super::name::DataName;
use super::slot::{Held, Link, Phase};
use super::version::{Version, Versioned};
use crate::clock::Timestamp;
use crate::manager::ManagedSession;
use crate::manager::key::SessionKey;

/// A value that was fetched or pushed.
pub struct Hydrated<T> {
    /// The value.
    pub value: Arc<T>,
    /// Its version, if it has any.
    pub version: Option<Version>,
    /// When it was fetched, or last found to be the newest.
    pub fetched_at: Timestamp,
    /// Whether it is no longer fresh: older than the fetcher allows, or the last fetch failed.
    pub stale: bool,
}

impl<T> Deref for Hydrated<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Clone for Hydrated<T> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            version: self.version.clone(),
            ..*self
        }
    }
}

impl<T> fmt::Debug for Hydrated<T> {
    /// Without the value, which may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hydrated")
            .field("version", &self.version)
            .field("fetched_at", &self.fetched_at)
            .field("stale", &self.stale)
            .finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static> Hydrated<T> {
    fn of(held: Held) -> Option<Self> {
        Some(Self {
            value: held.value.downcast().ok()?,
            version: held.version,
            fetched_at: held.at,
            stale: held.stale,
        })
    }
}

/// Data about whom the session acts for: see [`Fetch`](crate::manager::Fetch).
impl ManagedSession {
    /// What is there now, without waiting. If it is missing or no longer fresh, fetching it is
    /// begun, unless that has failed too often.
    ///
    /// `None` if there is nothing, if the session acts for somebody else or has left its manager,
    /// or if the name is unknown or has another type, which [`fetched`](Self::fetched) tells
    /// apart.
    pub fn data<T: Send + Sync + 'static>(
        &self,
        name: impl Into<DataName<T>>,
    ) -> Option<Hydrated<T>> {
        let name = name.into();
        let home = self.home.upgrade()?;
        let held = home.with_cache(|cache, now| {
            let at = (self.id, cache.typed(&name).ok()?);
            cache.check(&self.key, at).ok()?;
            cache.look(at, now.0)
        })??;
        Hydrated::of(held)
    }

    /// What is there if it is fresh; otherwise fetches it, or waits for the fetch that is under
    /// way. An answer of its first failure: further tries go on behind it.
    ///
    /// # Errors
    ///
    /// [`DataError`].
    ///
    /// # Cancel safety
    ///
    /// The fetch goes on.
    pub async fn fetched<T: Send + Sync + 'static>(
        &self,
        name: impl Into<DataName<T>>,
    ) -> Result<Hydrated<T>, DataError> {
        self.ask(&name.into(), false).await
    }

    /// Fetches it again, however fresh it is, or waits for the fetch that is under way. An open
    /// subscription is opened anew.
    ///
    /// # Errors
    ///
    /// [`DataError`].
    ///
    /// # Cancel safety
    ///
    /// The fetch goes on.
    pub async fn refresh<T: Send + Sync + 'static>(
        &self,
        name: impl Into<DataName<T>>,
    ) -> Result<Hydrated<T>, DataError> {
        self.ask(&name.into(), true).await
    }

    /// Offers a value that came from elsewhere: it is taken if it
    /// [replaces](Version::replaces) what is there. Returns whether it was.
    ///
    /// # Errors
    ///
    /// [`DataError::Gone`], [`DataError::IdentityChanged`], [`DataError::Unknown`] or
    /// [`DataError::WrongType`].
    pub fn push<T: Send + Sync + 'static>(
        &self,
        name: impl Into<DataName<T>>,
        value: impl Into<Versioned<T>>,
    ) -> Result<bool, DataError> {
        let (name, value) = (name.into(), value.into());
        self.with_cache(name.as_str(), |cache, now| {
            let at = (self.id, cache.typed(&name)?);
            cache.check(&self.key, at)?;
            let taken = cache.offer(at, value.into(), now);
            cache.bound();
            Ok(taken)
        })
    }

    /// Drops what is there, and what a fetch under way will bring. Unless it is fetched on demand
    /// only, it is fetched again at once, or when the session is connected.
    ///
    /// # Errors
    ///
    /// [`DataError::Gone`], [`DataError::IdentityChanged`] or [`DataError::Unknown`].
    pub fn invalidate(&self, name: &str) -> Result<(), DataError> {
        self.with_cache(name, |cache, _| {
            let unknown = || DataError::Unknown { name: name.into() };
            let at = (self.id, cache.index(name).ok_or_else(unknown)?);
            cache.check(&self.key, at)?;
            cache.stop(at);
            cache.forget(at, Some(InvalidatedBy::Asked));
            let on_demand = cache.fetch(at.1).on_demand;
            let waits = cache.slot(at).is_some_and(|slot| !slot.waiters.is_empty());
            if cache.is_connected(at.0) && (waits || !on_demand) {
                cache.enqueue(at, FetchCause::Asked, false);
            }
            Ok(())
        })
    }

    fn with_cache<T>(
        &self,
        name: &str,
        change: impl FnOnce(&mut Cache, (Instant, Timestamp)) -> Result<T, DataError>,
    ) -> Result<T, DataError> {
        let home = self.home.upgrade().ok_or(DataError::Gone)?;
        home.with_cache(change).unwrap_or_else(|| {
            Err(match home.lock().closed {
                true => DataError::Gone,
                false => DataError::Unknown { name: name.into() },
            })
        })
    }

    async fn ask<T: Send + Sync + 'static>(
        &self,
        name: &DataName<T>,
        again: bool,
    ) -> Result<Hydrated<T>, DataError> {
        let asked = self.with_cache(name.as_str(), |cache, now| {
            let at = (self.id, cache.typed(name)?);
            cache.check(&self.key, at)?;
            cache.ask(at, again, now.0)
        })?;
        let held = match asked {
            Asked::Now(held) => held,
            // Nobody is left to answer only if the manager is gone.
            Asked::Later(later) => later.await.unwrap_or(Err(DataError::Gone))?,
        };
        // The type was checked.
        Hydrated::of(held).ok_or(DataError::Gone)
    }
}

impl Cache {
    fn typed<T: 'static>(&self, name: &DataName<T>) -> Result<usize, DataError> {
        let named = || name.as_str().into();
        let index = self.index(name.as_str());
        let index = index.ok_or_else(|| DataError::Unknown { name: named() })?;
        let fetch = &self.kit.fetches[index];
        match fetch.type_id == TypeId::of::<T>() {
            true => Ok(index),
            false => Err(DataError::WrongType {
                name: named(),
                is: fetch.type_name,
                asked: std::any::type_name::<T>(),
            }),
        }
    }

    fn check(&self, key: &SessionKey, at: At) -> Result<(), DataError> {
        let data = self.sessions.get(&at.0).ok_or(DataError::Gone)?;
        match *data.key == *key {
            true => Ok(()),
            false => Err(DataError::IdentityChanged),
        }
    }

    fn is_connected(&self, id: u64) -> bool {
        let data = self.sessions.get(&id);
        data.is_some_and(|data| data.link == Link::Connected)
    }

    fn look(&mut self, at: At, now: Instant) -> Option<Held> {
        self.touch(at);
        let (fetch, connected) = (self.fetch(at.1), self.is_connected(at.0));
        let slot = self.slot(at)?;
        let shown = slot.shown(&fetch, now);
        if connected && matches!(slot.phase, Phase::Idle) && slot.lacks(&fetch, now) {
            let cause = match slot.held {
                Some(_) => FetchCause::Expired,
                None => FetchCause::Asked,
            };
            self.enqueue(at, cause, false);
        }
        shown
    }

    fn ask(&mut self, at: At, again: bool, now: Instant) -> Result<Asked, DataError> {
        self.touch(at);
        let (fetch, connected) = (self.fetch(at.1), self.is_connected(at.0));
        let name = || fetch.name.clone();
        let slot = self.slot(at).ok_or(DataError::Gone)?;
        let pushed = matches!(fetch.source, Source::Pushed);
        if (!again || pushed)
            && let Some(held) = slot.shown(&fetch, now)
            && (!held.stale || pushed)
        {
            return Ok(Asked::Now(held));
        }
        if pushed {
            return Err(DataError::Nothing { name: name() });
        }
        if !connected {
            return Err(DataError::NotConnected { name: name() });
        }
        // A subscription, once it has spoken or is past its deadline.
        let settled = slot.run().is_some_and(|run| run.open || !run.placed);
        if settled && again {
            self.stop(at);
        } else if settled {
            return Err(DataError::Nothing { name: name() });
        }
        let slot = self.slot(at).ok_or(DataError::Gone)?;
        let (waiter, later) = oneshot::channel();
        slot.waiters.retain(|waiter| !waiter.is_closed());
        slot.waiters.push(waiter);
        if matches!(slot.phase, Phase::Idle | Phase::Waiting | Phase::GaveUp) {
            slot.failures = 0;
            slot.failing_since = None;
        }
        self.enqueue(at, FetchCause::Asked, true);
        Ok(Asked::Later(later))
    }
}
