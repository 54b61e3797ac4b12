//! A task that ends with its owner.

use std::future::Future;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Runs in the background until it is dropped.
#[derive(Debug)]
pub(in crate::sync) struct Task(JoinHandle<()>);

impl Task {
    pub(in crate::sync) fn spawn(
        runtime: &Handle,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self(runtime.spawn(work))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
