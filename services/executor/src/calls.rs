//! Calls to the venue that are out. Each runs as a task of its own; its answer waits here until a step has recorded
//! it, and is handed out again if that step failed. Dropping this gives all calls up, as the death of the process does.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use chassis::step::Wake;
use chassis::trace::Span;
use domain::{OrderId, VenueOrderId};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use venue::{Canceling, Fault, Lookup, Replacing, Submitted, Venue, VenueOrder, VenueStatus};

use crate::book::{Answer, InFlight, InPlaceOf, Job, Lane, Outcome, burn_terms, differs_from_both};
use crate::{metrics, traces};

/// The calls of one executor.
pub struct Calls<V> {
    venue: Arc<V>,
    wake: Wake,
    tasks: JoinSet<()>,
    sender: UnboundedSender<Vec<Answer>>,
    receiver: UnboundedReceiver<Vec<Answer>>,
    /// Out, or answered and not recorded yet.
    out: HashSet<(Lane, OrderId)>,
    running: InFlight,
    answers: VecDeque<Answer>,
    /// Of each call that came back, why it failed, if it did. Told once, whatever becomes of the step.
    heard: Vec<Option<Fault>>,
}

impl<V: Venue> Calls<V> {
    /// No calls yet; each that ends rings `wake`.
    pub fn new(venue: Arc<V>, wake: Wake) -> Self {
        let (sender, receiver) = unbounded_channel();
        let (out, running, answers) = (HashSet::new(), InFlight::default(), VecDeque::new());
        let heard = Vec::new();
        Self {
            venue,
            wake,
            tasks: JoinSet::new(),
            sender,
            receiver,
            out,
            running,
            answers,
            heard,
        }
    }

    /// Whether this call was made and its answer is not recorded yet.
    pub fn is_out(&self, lane: Lane, order_id: OrderId) -> bool {
        self.out.contains(&(lane, order_id))
    }

    /// Calls without an answer.
    pub fn in_flight(&self) -> InFlight {
        self.running
    }

    /// Up to `most` answers that are not recorded yet, in the order in which they came; after a failed step the same
    /// ones again.
    pub fn answers(&mut self, most: usize) -> Vec<Answer> {
        while let Ok(answers) = self.receiver.try_recv() {
            self.came_back(answers);
        }
        // Finished tasks hold memory until they are asked for.
        while self.tasks.try_join_next().is_some() {}
        self.answers.iter().take(most).cloned().collect()
    }

    /// What became of the calls that came back since this was asked last, one by one: why each failed, if it did.
    pub fn heard(&mut self) -> Vec<Option<Fault>> {
        std::mem::take(&mut self.heard)
    }

    /// The first so many answers are recorded; says whether there are more.
    pub fn recorded(&mut self, count: usize) -> bool {
        for answer in self.answers.drain(..count) {
            self.out.remove(&(answer.lane, answer.order_id));
        }
        !self.answers.is_empty()
    }

    /// Waits until every call has its answer.
    pub async fn settled(&mut self) {
        while self.running != InFlight::default() {
            let Some(answers) = self.receiver.recv().await else {
                return;
            };
            self.came_back(answers);
        }
    }

    /// Makes a call within its span. Its intent is committed.
    pub fn launch(&mut self, job: Job, span: Span) {
        self.out.extend(job.about());
        self.count(&job.about(), true);
        let (venue, wake, sender) = (self.venue.clone(), self.wake.clone(), self.sender.clone());
        self.tasks.spawn(async move {
            let began = Instant::now();
            let answers = span.clone().run(make(&*venue, job)).await;
            traces::end(&span, &answers);
            metrics::called(venue.name(), &answers, began.elapsed());
            // Nobody listens only when the executor is gone.
            let _ = sender.send(answers);
            wake.wake();
        });
    }

    fn came_back(&mut self, answers: Vec<Answer>) {
        let about: Vec<(Lane, OrderId)> = answers.iter().map(|answer| (answer.lane, answer.order_id)).collect();
        self.count(&about, false);
        self.heard
            .extend(answers.first().map(|first| first.outcome.fault().cloned()));
        self.answers.extend(answers);
    }

    fn count(&mut self, about: &[(Lane, OrderId)], out: bool) {
        let is_cancel = about.iter().all(|(lane, _)| *lane == Lane::Cancel);
        let counter = if is_cancel {
            &mut self.running.cancels
        } else {
            &mut self.running.calls
        };
        *counter = if out { *counter + 1 } else { counter.saturating_sub(1) };
    }
}

async fn make<V: Venue>(venue: &V, job: Job) -> Vec<Answer> {
    match job {
        Job::Submit(lane, order_id, order) => {
            let outcome = Outcome::Submitted(venue.submit(order_id, &order).await);
            fail::fail_point!("executor::sent_no_answer");
            vec![Answer {
                order_id,
                lane,
                outcome,
            }]
        }
        Job::Replace(order_id, old, order) => {
            let outcome = replace(venue, order_id, &old, &order).await;
            fail::fail_point!("replace::sent_no_answer");
            let lane = Lane::Submit;
            vec![Answer {
                order_id,
                lane,
                outcome,
            }]
        }
        Job::Burn(order_id, asked) => {
            let outcome = Outcome::Submitted(burn(venue, order_id, &asked).await);
            fail::fail_point!("executor::sent_no_answer");
            vec![Answer {
                order_id,
                lane: Lane::Saga,
                outcome,
            }]
        }
        Job::Cancel(lane, order_id, id) => {
            let outcome = cancel(venue, order_id, &id).await;
            fail::fail_point!("cancel::sent_no_answer");
            vec![Answer {
                order_id,
                lane,
                outcome,
            }]
        }
        Job::Lookup(about) => look(venue, about).await,
    }
}

/// An answer about another order than the harmless one may mean that the key was taken before, by the order as it was
/// asked for: that is ours as well. A refusal may hide the same. So in both cases the key is looked up.
async fn burn<V: Venue>(venue: &V, order_id: OrderId, asked: &VenueOrder) -> Submitted {
    let submitted = venue.submit(order_id, &burn_terms(asked)).await;
    let is_settled = match &submitted {
        Submitted::Acknowledged(_) => true,
        Submitted::Refused(_) => false,
        Submitted::Unknown(fault) => !matches!(fault, Fault::Mismatch(_)),
    };
    if is_settled {
        return submitted;
    }
    match venue.lookup(order_id).await {
        Lookup::Found(view) => match differs_from_both(order_id, asked, &view) {
            None => Submitted::Acknowledged(view),
            Some(what) => Submitted::Unknown(Fault::Mismatch(what)),
        },
        Lookup::NotFound => submitted,
        Lookup::Unknown(fault) => Submitted::Unknown(fault),
    }
}

/// The answer is about the replacement. What the order before it had filled by then, only that one shows.
async fn replace<V: Venue>(venue: &V, order_id: OrderId, old: &InPlaceOf, order: &VenueOrder) -> Outcome {
    let replacing = venue.replace(order_id, &old.at_venue, order).await;
    let is_decided = match &replacing {
        Replacing::Replaced(view) => view.status != VenueStatus::PendingReplace,
        Replacing::Refused(_) => true,
        Replacing::Unknown(_) => false,
    };
    if !is_decided {
        return Outcome::Replaced(replacing, None);
    }
    let old = venue.lookup(old.order_id).await;
    Outcome::Replaced(replacing, Some(Box::new(old)))
}

/// "Too late" alone does not say what was sooner, so the order is looked at. Without that the outcome is not known:
/// it may be over by an earlier cancel, whose customer must not hear that it was refused.
async fn cancel<V: Venue>(venue: &V, order_id: OrderId, id: &VenueOrderId) -> Outcome {
    let canceling = venue.cancel(id).await;
    if !matches!(canceling, Canceling::TooLate(_)) {
        return Outcome::Canceled(canceling, None);
    }
    match venue.lookup(order_id).await {
        Lookup::Found(view) => Outcome::Canceled(canceling, Some(Box::new(view))),
        Lookup::NotFound => Outcome::Canceled(Canceling::NotFound, None),
        Lookup::Unknown(fault) => Outcome::Canceled(Canceling::Unknown(fault), None),
    }
}

async fn look<V: Venue>(venue: &V, about: Vec<(Lane, OrderId)>) -> Vec<Answer> {
    if let [(lane, order_id)] = about[..] {
        let outcome = Outcome::Looked(venue.lookup(order_id).await);
        return vec![Answer {
            order_id,
            lane,
            outcome,
        }];
    }
    let keys: Vec<OrderId> = about.iter().map(|(_, order_id)| *order_id).collect();
    let mut found = venue.lookup_many(&keys).await;
    let missing = || Lookup::Unknown(Fault::Garbage("no entry for the key".to_owned()));
    let answer = |(lane, order_id): (Lane, OrderId)| {
        let outcome = Outcome::Looked(found.remove(&order_id).unwrap_or_else(missing));
        Answer {
            order_id,
            lane,
            outcome,
        }
    };
    about.into_iter().map(answer).collect()
}
