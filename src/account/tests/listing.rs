//! A listing whose pages have missing, repeated and shuffled rows and repeated markers.

use proptest::prelude::*;

use super::*;

const PATIENCE: Duration = Duration::from_secs(300);

fn user(number: u8) -> plan::RemoteUser {
    let arn = format!("arn:aws:elasticache:us-east-1:111111111111:user:user-{number}");
    plan::RemoteUser {
        user_id: format!("user-{number}"),
        user_name: format!("user-{number}"),
        lifecycle: plan::Lifecycle::Active,
        engine: "valkey".to_owned(),
        minimum_engine_version: None,
        access_string: "on ~* +@all".to_owned(),
        user_group_ids: Vec::new(),
        authentication_type: "iam".to_owned(),
        password_count: None,
        arn: Arn::parse(&arn).expect("an ARN"),
    }
}

fn page() -> impl Strategy<Value = UserPage> {
    let (users, incomplete) =
        (prop::collection::vec(0..6_u8, 0..5), prop::collection::vec("user-[6-9]", 0..2));
    (users, incomplete, prop::option::weighted(0.8, "[a-h]")).prop_map(|(users, incomplete, marker)| {
        UserPage { users: users.into_iter().map(user).collect(), incomplete, marker }
    })
}

/// The pages that a listing reads from a service that accepts `bears` calls a second, and how the listing ends.
fn walked(pages: &[UserPage], bears: f64) -> (Vec<UserPage>, Result<usize, Fault>, Arc<World>, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let world = World::new(bears, 1, 80, 1);
        world.aws.pages.lock().expect("pages").extend(pages.iter().cloned());
        let (began, mut read) = (Instant::now(), Vec::new());
        let ended =
            walk(&world.users, &Pace::default(), Class::Check, PATIENCE, |_, page| read.push(page)).await;
        (read, ended, world, began.elapsed())
    })
}

proptest! {
    #[test]
    fn a_listing_reads_each_page_once_and_ends_if_there_is_no_new_marker(pages in prop::collection::vec(page(), 0..14)) {
        let (read, ended, world, _) = walked(&pages, 3.0);
        let mut markers = vec![None];
        let mut expected = Vec::new();
        for page in pages.into_iter().chain([UserPage::default()]) {
            expected.push(UserPage { marker: None, ..page.clone() });
            if page.marker.is_none() || markers.contains(&page.marker) {
                break;
            }
            markers.push(page.marker);
        }
        prop_assert_eq!(ended, Ok(expected.len()));
        prop_assert_eq!(read, expected);
        prop_assert_eq!(&*world.aws.markers.lock().expect("markers"), &markers);
    }
}

#[test]
fn a_listing_that_fails_for_too_long_ends_with_the_pages_that_it_has_read() {
    let pages: Vec<UserPage> = (0..14_u8)
        .map(|number| UserPage {
            users: vec![user(number)],
            marker: Some(number.to_string()),
            ..UserPage::default()
        })
        .collect();
    let (read, ended, _, took) = walked(&pages, 0.0);
    assert!(matches!(ended, Err(Fault::Throttled(_))), "{ended:?}");
    assert_eq!(read.len(), 10, "all pages that AWS answered");
    assert!((PATIENCE..2 * PATIENCE).contains(&took), "{took:?}");
}
