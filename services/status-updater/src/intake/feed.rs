//! The venue's stream as something that can be looked at without waiting.

use chassis::step::Wake;
use futures::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use venue::{Fault, Updates, VenueUpdate};

/// An open stream.
pub(super) enum Feed {
    /// Read in place.
    Direct(Updates),
    /// Read ahead by a task of its own, which rings when something came.
    Ahead {
        brought: mpsc::Receiver<Result<VenueUpdate, Fault>>,
        task: AbortHandle,
    },
}

/// What the stream had.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) updates: Vec<VenueUpdate>,
    /// Why nothing more will come.
    pub(super) broken: Option<Fault>,
}

impl Feed {
    pub(super) fn new(updates: Updates, wake: Option<Wake>, buffer: usize) -> Self {
        let Some(wake) = wake else { return Self::Direct(updates) };
        let (sender, brought) = mpsc::channel(buffer.max(1));
        let task = tokio::spawn(read_ahead(updates, sender, wake)).abort_handle();
        Self::Ahead { brought, task }
    }

    /// At most `most` updates that are there already.
    pub(super) fn take(&mut self, most: usize) -> Heard {
        let mut heard = Heard::default();
        while heard.updates.len() < most {
            match self.next_if_there() {
                None => break,
                Some(Some(Ok(update))) => heard.updates.push(update),
                Some(Some(Err(fault))) => {
                    heard.broken = Some(fault);
                    break;
                }
                Some(None) => {
                    heard.broken = Some(Fault::Connection("the stream ended".to_owned()));
                    break;
                }
            }
        }
        heard
    }

    /// `None`: nothing there now. `Some(None)`: nothing will ever be.
    fn next_if_there(&mut self) -> Option<Option<Result<VenueUpdate, Fault>>> {
        match self {
            Self::Direct(updates) => updates.next().now_or_never(),
            Self::Ahead { brought, .. } => match brought.try_recv() {
                Ok(update) => Some(Some(update)),
                Err(mpsc::error::TryRecvError::Empty) => None,
                Err(mpsc::error::TryRecvError::Disconnected) => Some(None),
            },
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        if let Self::Ahead { task, .. } = self {
            task.abort();
        }
    }
}

async fn read_ahead(mut updates: Updates, sender: mpsc::Sender<Result<VenueUpdate, Fault>>, wake: Wake) {
    while let Some(update) = updates.next().await {
        let last = update.is_err();
        if sender.send(update).await.is_err() {
            return;
        }
        wake.wake();
        if last {
            return;
        }
    }
    drop(sender);
    wake.wake();
}
