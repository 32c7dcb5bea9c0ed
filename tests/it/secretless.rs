//! Objects that wait for their Secret.

use crate::fixture::{Fixture, PASSWORD, until, with_password};

#[tokio::test]
async fn objects_without_their_secret_cost_one_aws_call_each_and_wake_when_it_appears() {
    let fixture = Fixture::new().await;
    let names: Vec<String> = (0..20).map(|number| format!("app-{number:02}")).collect();
    for name in &names {
        fixture.create(name, with_password("pw")).await;
    }
    for name in &names {
        fixture.reason(name, "SecretNotFound").await;
    }
    let versions = |name: &String| fixture.versions(name).len();
    let before: Vec<usize> = names.iter().map(versions).collect();
    for name in &names {
        let read = format!("{}/{name}", fixture.ns);
        until(&format!("the Secret of {name} is looked for again and again"), || async {
            let logs = fixture.logs();
            let reads = logs.lines().filter(|line| line.contains("ReadPasswords") && line.contains(&read));
            (reads.count() >= 4).then_some(())
        })
        .await;
    }
    let calls = fixture.aws.calls().await;
    assert!(calls.iter().all(|call| call["Action"] == "DescribeUsers"), "{calls:?}");
    assert_eq!(calls.len(), names.len(), "one DescribeUsers for each object");
    assert_eq!(names.iter().map(versions).collect::<Vec<_>>(), before, "nothing is written");
    fixture.secret("pw", PASSWORD).await;
    for name in &names {
        fixture.wait_ready(name).await;
    }
    fixture.end().await;
}
