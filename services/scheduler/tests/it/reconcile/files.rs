//! Trade files that are late, cut, wrong, the same again or corrected.

use super::rig::Rig;
use venue::Fault;

#[tokio::test]
async fn recon_file_partial_a_cut_or_wrong_file_is_refused_whole_and_fetched_again() {
    let rig = Rig::new().await;
    rig.booked(1..4).await;
    let whole = rig.venue.written_trade_file(Rig::date());
    let cut = whole[..whole.len() / 2].to_vec();
    let wrong = String::from_utf8(whole)
        .unwrap()
        .replacen(",live", ",busted", 1)
        .into_bytes();
    for bad in [cut, wrong] {
        rig.venue.script_trade_files([Ok(bad)]);
        let waits = rig.pass().await;
        assert!(waits.starts_with("wait: the file of"), "{waits}");
        assert!(rig.written().await.is_empty(), "nothing of it is used");
        assert_eq!(rig.alerts().await, [format!("reconcile_file fake {}", Rig::date())]);
        let refused = rig
            .texts("select refused from recon_days where refused is not null")
            .await;
        assert_eq!(refused.len(), 1);
    }
    assert_eq!(rig.pass().await, "done: 3 of 3 executions match, 0 breaks wait");
    assert!(rig.alerts().await.is_empty());
    assert!(
        rig.texts("select refused from recon_days where refused is not null")
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_file_that_is_not_written_yet_is_waited_for_without_an_alert() {
    let rig = Rig::new().await;
    let early = Fault::NotYet("written after the close".to_owned());
    rig.venue.script_trade_files([Err(early), Err(Fault::Timeout)]);
    assert_eq!(rig.pass().await, "wait: not yet: written after the close");
    assert!(rig.alerts().await.is_empty());
    assert_eq!(rig.pass().await, "wait: no answer in time");
    assert_eq!(rig.alerts().await.len(), 1);
}

#[tokio::test]
async fn a_venue_without_trade_files_is_not_waited_for() {
    let rig = Rig::new().await;
    rig.venue.script_trade_files([Err(Fault::NotOffered("trade file"))]);
    assert_eq!(
        rig.pass().await,
        "done: this exchange writes no trade files: nothing is compared"
    );
}

#[tokio::test]
async fn recon_file_again_of_a_corrected_file_only_the_difference_is_applied() {
    let rig = Rig::new().await;
    rig.booked(1..3).await;
    rig.pass().await;
    let order = rig.order(9).await;
    rig.trade(order);
    rig.pass().await;
    assert_eq!(rig.told().await, ["filled exec-3"], "the others are known");
    let files = rig
        .texts("select version || ': ' || lines from recon_files order by version")
        .await;
    assert_eq!(files, ["1: 2", "2: 3"]);
    rig.pass().await;
    assert_eq!(
        rig.texts("select version::text from recon_files").await.len(),
        2,
        "the same file is no new one"
    );
}
