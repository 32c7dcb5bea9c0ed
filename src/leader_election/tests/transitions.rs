use k8s_openapi::api::coordination::v1::LeaseSpec;
use tokio::time::{Instant, advance, sleep};

use super::server::Network;
use super::*;

async fn after(millis: u64) {
    sleep(Duration::from_millis(millis)).await;
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

async fn lost(leader: &mut Candidate<ServerLink>) -> LossReason {
    tokio::time::timeout(60 * SECOND, leader.renew_until_lost()).await.expect("it loses the lead")
}

#[tokio::test(start_paused = true)]
async fn the_first_replica_leads_at_once() {
    let server = ApiServer::default();
    let one = Replica::start(&server, "one");
    assert!(one.becomes_leader().await < seconds(0.1));
    assert!(one.leads());
    assert_eq!(server.holder(), "one");
}

#[tokio::test(start_paused = true)]
async fn a_leader_renews_every_two_seconds_and_a_tenth_more_at_most() {
    let server = ApiServer::default();
    let one = Replica::start(&server, "one");
    sleep(600 * SECOND).await;
    assert!(one.token.is_valid());
    let writes = server.writes();
    for pair in writes.windows(2) {
        let pause = pair[1] - pair[0];
        assert!((seconds(2.0)..=seconds(2.21)).contains(&pause), "{pause:?}");
    }
    assert!(writes.len() > 260, "{}", writes.len());
}

#[tokio::test(start_paused = true)]
async fn a_standby_writes_nothing_while_another_one_renews() {
    let server = ApiServer::default();
    let (one, two) = (Replica::start(&server, "one"), Replica::start(&server, "two"));
    sleep(100 * SECOND).await;
    assert!(one.token.is_valid() != two.token.is_valid(), "exactly one replica must lead");
    assert!(one.leads() != two.leads());
    assert_eq!(server.spec().lease_transitions, Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_killed_leader_is_followed_within_20_s_and_not_before_its_lease_ended() {
    for millis in (0..2200).step_by(50) {
        let server = ApiServer::default();
        let one = Replica::start(&server, "one");
        one.becomes_leader().await;
        let two = Replica::start(&server, "two");
        after(10_000 + millis).await;
        one.kill();
        let renewed = server.writes().last().unwrap().to_owned();
        let took = two.becomes_leader().await;
        assert!(took < 18 * SECOND, "{took:?}, killed after {millis} ms");
        assert!(renewed.elapsed() >= 15 * SECOND, "{:?}", renewed.elapsed());
        assert_eq!(server.spec().lease_transitions, Some(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_leaves_is_followed_within_3_s() {
    for millis in (0..2200).step_by(100) {
        let server = ApiServer::default();
        let (mut candidate, ..) = Replica::candidate(&server.link(), "one");
        candidate.campaign().await.unwrap();
        let leadership = candidate.lead();
        let two = Replica::start(&server, "two");
        after(10_000 + millis).await;
        assert!(!two.token.is_valid());
        leadership.resign().await;
        assert_eq!(server.holder(), "");
        let took = two.becomes_leader().await;
        assert!(took < 3 * SECOND, "{took:?}, left after {millis} ms");
        assert_eq!((server.holder().as_str(), server.spec().lease_transitions), ("two", Some(1)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_resigned_has_no_valid_token() {
    let server = ApiServer::default();
    let (mut candidate, token, leads) = Replica::candidate(&server.link(), "one");
    candidate.campaign().await.unwrap();
    assert!(token.is_valid());
    candidate.lead().resign().await;
    assert!(!token.is_valid());
    assert_eq!(leads.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_lease_is_not_released_if_a_mutation_was_cut() {
    let server = ApiServer::default();
    let (mut candidate, token, _) = Replica::candidate(&server.link(), "one");
    candidate.campaign().await.unwrap();
    drop(token.send());
    candidate.lead().resign().await;
    assert_eq!(server.holder(), "one");
    assert!(!token.is_valid());
}

#[tokio::test(start_paused = true)]
async fn a_renewal_on_its_way_does_not_keep_the_lease_from_being_released() {
    let server = ApiServer::default();
    let link = server.link();
    let (mut candidate, ..) = Replica::candidate(&link, "one");
    candidate.campaign().await.unwrap();
    let leadership = candidate.lead();
    link.set(Network::Slow(Duration::ZERO, 4 * SECOND));
    after(3_000).await;
    link.set(Network::Healthy);
    // The renewal has taken effect, but its answer is still on its way.
    leadership.resign().await;
    assert_eq!(server.holder(), "");
}

#[tokio::test(start_paused = true)]
async fn resigning_takes_1_5_s_if_the_api_server_does_not_answer() {
    let server = ApiServer::default();
    let link = server.link();
    let (mut candidate, ..) = Replica::candidate(&link, "one");
    candidate.campaign().await.unwrap();
    link.set(Network::RequestsLost);
    let began = Instant::now();
    candidate.lead().resign().await;
    assert!(began.elapsed() <= seconds(1.6), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_ends_sends_no_request() {
    let server = ApiServer::default();
    let one = Replica::start(&server, "one");
    one.becomes_leader().await;
    let (mut two, ..) = Replica::candidate(&server.link(), "two");
    let stood = tokio::time::timeout(9 * SECOND, two.campaign()).await;
    assert!(stood.is_err(), "the candidate must stay a standby");
    let (writes, began) = (server.writes().len(), Instant::now());
    two.resign().await;
    assert!(began.elapsed() < seconds(0.01) && server.writes().len() == writes);
    assert_eq!(server.holder(), "one");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_cut_off_stops_before_its_successor_begins() {
    for network in [
        Network::RequestsLost,
        Network::AnswersLost,
        Network::ServerError,
        Network::Forbidden,
        Network::Slow(6 * SECOND, Duration::ZERO),
    ] {
        for millis in (0..2200).step_by(200) {
            let server = ApiServer::default();
            let one = Replica::start(&server, "one");
            one.becomes_leader().await;
            let two = Replica::start(&server, "two");
            after(10_000 + millis).await;
            one.link.set(network);
            let stopped = one.stops_leading().await;
            assert!(stopped <= seconds(10.1), "{network:?}: it stopped after {stopped:?}");
            assert!(!one.leads() || one.task.is_finished() || stopped > Duration::ZERO);
            let began = two.becomes_leader().await;
            assert!(began >= seconds(4.8), "{network:?}: only {began:?} are between the leaders");
            after(100).await;
            assert!(one.task.is_finished(), "{network:?}: a replica that lost the Lease must end");
            assert!(!one.leads() && two.leads());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_keeps_the_lease_if_answers_take_4_5_s() {
    let server = ApiServer::default();
    let (one, two) = (Replica::start(&server, "one"), Replica::start(&server, "two"));
    sleep(5 * SECOND).await;
    let leader = if one.token.is_valid() { &one } else { &two };
    for there in [0.0, 2.0, 4.0] {
        leader.link.set(Network::Slow(seconds(there), seconds(4.5 - there)));
        for _ in 0..600 {
            after(100).await;
            assert!(leader.token.is_valid(), "{there} s there, {} s back", 4.5 - there);
        }
    }
    assert_eq!(server.spec().lease_transitions, Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_leader_keeps_the_lease_through_seven_seconds_of_failures() {
    for network in [
        Network::RequestsLost,
        Network::AnswersLost,
        Network::ServerError,
        Network::Forbidden,
        Network::Conflicts,
    ] {
        for millis in (0..2200).step_by(200) {
            let server = ApiServer::default();
            let one = Replica::start(&server, "one");
            one.becomes_leader().await;
            after(10_000 + millis).await;
            one.link.set(network);
            sleep(2 * SECOND).await;
            one.link.set(Network::Healthy);
            for _ in 0..100 {
                after(100).await;
                assert!(one.token.is_valid(), "{network:?} after {millis} ms");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_was_paused_too_long_has_no_valid_token_when_it_resumes() {
    let server = ApiServer::default();
    let (mut candidate, token, _) = Replica::candidate(&server.link(), "one");
    candidate.campaign().await.unwrap();
    let two = Replica::start(&server, "two");
    sleep(SECOND).await;
    // The first replica is not polled meanwhile, as if it were paused.
    two.becomes_leader().await;
    assert!(token.send().is_none());
    assert!(matches!(lost(&mut candidate).await, LossReason::ProcessStopped));
    assert!(!token.is_valid());
    assert_eq!(server.holder(), "two");
}

#[tokio::test(start_paused = true)]
async fn a_leader_stops_at_once_when_it_sees_another_holder_in_the_lease() {
    let held =
        |holder: &str| Some(LeaseSpec { holder_identity: Some(holder.to_owned()), ..LeaseSpec::default() });
    type Act = Box<dyn Fn(&ApiServer)>;
    let acts: [(LossReason, Act); 4] = [
        (LossReason::Taken("two".to_owned()), Box::new(move |server| server.put(held("two")))),
        (LossReason::Released, Box::new(move |server| server.put(held("")))),
        (LossReason::Released, Box::new(|server| server.put(None))),
        (LossReason::Deleted, Box::new(ApiServer::delete)),
    ];
    for (loss, act) in acts {
        let server = ApiServer::default();
        let (mut candidate, token, leads) = Replica::candidate(&server.link(), "one");
        candidate.campaign().await.unwrap();
        act(&server);
        let began = Instant::now();
        assert_eq!(lost(&mut candidate).await.to_string(), loss.to_string());
        assert!(began.elapsed() < seconds(2.3), "{loss}: {:?}", began.elapsed());
        assert!(!token.is_valid());
        assert_eq!(leads.get(), 0);
        assert!(server.holder() != "one", "{loss}: the former leader must not take the Lease back");
    }
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_saw_a_lease_waits_after_its_deletion_for_its_leader_to_stop() {
    let server = ApiServer::default();
    let one = Replica::start(&server, "one");
    one.becomes_leader().await;
    let two = Replica::start(&server, "two");
    sleep(10 * SECOND).await;
    one.link.set(Network::RequestsLost);
    server.delete();
    let deleted = Instant::now();
    let stopped = Instant::now() + one.stops_leading().await;
    assert_eq!(server.holder(), "the holder of the deleted Lease");
    two.becomes_leader().await;
    assert!(stopped + 5 * SECOND <= Instant::now(), "5 s must be between the two leaders");
    assert!(deleted.elapsed() < 18 * SECOND, "{:?}", deleted.elapsed());
}

#[tokio::test(start_paused = true)]
async fn labels_that_others_write_do_not_keep_a_dead_leaders_lease_alive() {
    let server = ApiServer::default();
    let one = Replica::start(&server, "one");
    one.becomes_leader().await;
    let two = Replica::start(&server, "two");
    sleep(10 * SECOND).await;
    one.kill();
    let touching = tokio::spawn({
        let server = server.clone();
        async move {
            loop {
                server.touch();
                after(700).await;
            }
        }
    });
    let took = two.becomes_leader().await;
    assert!(took < 20 * SECOND, "{took:?}");
    sleep(30 * SECOND).await;
    assert!(two.token.is_valid(), "labels must not cost the next leader its Lease either");
    touching.abort();
}

#[tokio::test(start_paused = true)]
async fn a_lease_whose_write_always_conflicts_is_written_only_at_the_usual_interval() {
    let server = ApiServer::default();
    let one = Replica::start(&server, "one");
    one.link.set(Network::Conflicts);
    sleep(60 * SECOND).await;
    assert!(!one.token.is_valid());
    assert!(server.requests() < 130, "{} requests in a minute", server.requests());
}

#[tokio::test(start_paused = true)]
async fn a_candidate_whose_winning_answer_was_lost_leads_by_the_next_one() {
    let server = ApiServer::default();
    let one = Replica::start(&server, "one");
    one.link.set(Network::AnswersLost);
    after(6_000).await;
    one.link.set(Network::Healthy);
    let took = one.becomes_leader().await;
    assert!(took < 10 * SECOND, "{took:?}");
    assert_eq!(server.spec().lease_transitions, Some(0));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_after_the_token_it_is_for_makes_no_leader() {
    let server = ApiServer::default();
    let link = server.link();
    let (mut candidate, token, _) = Replica::candidate(&link, "one");
    link.set(Network::Slow(Duration::ZERO, SECOND));
    {
        let winning = candidate.campaign();
        tokio::pin!(winning);
        for _ in 0..3 {
            // The request has begun. Then it is not polled while its answer comes and gets old.
            let _ = tokio::time::timeout(seconds(0.6), &mut winning).await;
            advance(11 * SECOND).await;
        }
        assert!(!token.is_valid());
    }
    candidate.campaign().await.unwrap();
    assert!(token.is_valid());
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_may_not_use_the_lease_at_its_start_says_so_and_ends() {
    let server = ApiServer::default();
    let link = server.link();
    link.set(Network::Forbidden);
    let (mut candidate, ..) = Replica::candidate(&link, "one");
    let error = candidate.campaign().await.unwrap_err().to_string();
    assert!(error.contains("leases in the group coordination.k8s.io") && error.contains("403"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_loses_the_permission_for_the_lease_tries_again() {
    let server = ApiServer::default();
    let one = Replica::start(&server, "one");
    one.becomes_leader().await;
    let two = Replica::start(&server, "two");
    sleep(5 * SECOND).await;
    two.link.set(Network::Forbidden);
    one.kill();
    sleep(60 * SECOND).await;
    two.link.set(Network::Healthy);
    // The standby may have seen the last renewal late.
    assert!(two.becomes_leader().await < 18 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_invalid_lease_is_taken_once_it_has_not_changed_for_15_s() {
    let x = || Some("x".to_owned());
    let rows = [
        ("no record", None, 0.0),
        ("no holder", Some(LeaseSpec::default()), 0.0),
        ("a holder alone", Some(LeaseSpec { holder_identity: x(), ..LeaseSpec::default() }), 15.0),
        (
            "a negative duration",
            Some(LeaseSpec {
                holder_identity: x(),
                lease_duration_seconds: Some(-5),
                ..LeaseSpec::default()
            }),
            15.0,
        ),
        (
            "a holder that asks for longer",
            Some(LeaseSpec {
                holder_identity: x(),
                lease_duration_seconds: Some(40),
                ..LeaseSpec::default()
            }),
            40.0,
        ),
    ];
    for (claim, spec, expected) in rows {
        let server = ApiServer::default();
        server.put(spec);
        let took = Replica::start(&server, "one").becomes_leader().await;
        assert!((seconds(expected)..=seconds(expected + 0.1)).contains(&took), "{claim}: {took:?}");
    }
}
