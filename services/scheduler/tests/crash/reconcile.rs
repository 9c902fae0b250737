//! Reconciliation stopped at each of its points: another run goes on, nothing is booked or reported twice (V15).

use crate::recon_rig::Rig;
use fail::FailScenario;
use scheduler::jobs::reconcile::reconcile;
use std::sync::Arc;

/// Two executions that met and one that we missed.
async fn day() -> Rig {
    let rig = Rig::new().await;
    rig.booked(1..3).await;
    let order = rig.order(9).await;
    rig.trade(order);
    rig
}

async fn dies_at(point: &str, rig: &Rig) {
    fail::cfg(point, "panic").unwrap();
    let (deps, run) = (Arc::clone(&rig.deps), rig.run().await);
    let died = tokio::spawn(async move { reconcile(&deps, &run, Rig::date()).await.map(drop) }).await;
    assert!(died.is_err_and(|error| error.is_panic()), "{point} was not reached");
    fail::remove(point);
}

async fn ends_well(point: &str, rig: &Rig) {
    let waits = rig.pass().await;
    assert!(waits.starts_with("wait: 1 of its breaks"), "{point}: {waits}");
    assert_eq!(rig.told().await, ["filled exec-3"], "{point}");
    assert_eq!(rig.breaks().await, ["missing_ours exec-3: open"], "{point}");
    let lines = rig.texts("select count(*)::text from recon_trades").await;
    assert_eq!(lines, ["3"], "{point}");
    let exec = rig.venue.executions().pop().unwrap();
    rig.book(domain::OrderId::new(uuid::Uuid::from_u128(9)), &exec).await;
    assert_eq!(
        rig.pass().await,
        "done: 3 of 3 executions match, 0 breaks wait",
        "{point}"
    );
    let written = rig.written().await;
    rig.pass().await;
    assert_eq!(rig.written().await, written, "{point}: another pass changes nothing");
}

#[tokio::test]
async fn v15_dying_after_the_file_is_loaded_or_among_its_breaks_another_run_goes_on() {
    let scenario = FailScenario::setup();
    for point in ["recon::loaded", "recon::mid_breaks"] {
        let rig = day().await;
        dies_at(point, &rig).await;
        assert!(rig.told().await.is_empty(), "{point}");
        ends_well(point, &rig).await;
    }
    scenario.teardown();
}

#[tokio::test]
async fn v15_dying_with_a_file_that_is_refused_or_known_uses_nothing_of_it_twice() {
    let scenario = FailScenario::setup();
    let rig = day().await;
    let whole = rig.venue.written_trade_file(Rig::date());
    rig.venue.script_trade_files([Ok(whole[..whole.len() - 9].to_vec())]);
    dies_at("recon::file_partial", &rig).await;
    assert!(rig.written().await.is_empty(), "nothing of a cut file is used");
    ends_well("recon::file_partial", &rig).await;

    let rig = day().await;
    rig.pass().await;
    dies_at("recon::file_again", &rig).await;
    ends_well("recon::file_again", &rig).await;
    scenario.teardown();
}
