//! How many bytes the operator keeps, and how many it needs meanwhile. The allocator counts them, and a model replaces the API server.
//! The clock is paused, so after a sleep of the test every task has done what it can.

mod model;

use std::iter;

use allocation_counter::{measure, opt_out};

use self::model::{Model, object, started};
use super::*;
use crate::api::{FINALIZER, PREVENT_DELETION, RECONCILE_REQUESTED_AT};

const MIB: u64 = 1 << 20;
/// The most bytes of an object at rest beyond its decoded spec and status, in all tables together. Without Secrets.
const MOST_AT_REST: i64 = 1024;
/// Kubernetes allows 256 KiB for all annotations of an object together.
const FAT: usize = 250_000;

/// Decodes an object. The bytes of the text are not counted.
fn decoded(text: impl FnOnce() -> String) -> TrimmedUser {
    let mut json = String::new();
    opt_out(|| json = text());
    let object = serde_json::from_str(&json).unwrap();
    opt_out(|| drop(json));
    object
}

/// The bytes of the decoded spec and status of an object: the mean of one with a password and one without.
fn own_bytes(model: Model) -> i64 {
    let objects =
        [0, 1].map(|number| serde_json::from_str::<ElastiCacheUser>(&object(number, 7, model)).unwrap());
    let mut copies = Vec::with_capacity(2);
    let cost = measure(|| {
        copies.extend(objects.iter().map(|object| Box::new((object.spec.clone(), object.status.clone()))));
    });
    cost.bytes_current / 2
}

#[test]
fn an_object_at_rest_takes_at_most_1_kib_beyond_its_spec_and_status_whatever_others_write_on_it() {
    for model in [
        Model::default(),
        Model { fat: FAT, ..Model::default() },
        Model { fat: FAT, changes: true, ..Model::default() },
        Model { active: true, ..Model::default() },
    ] {
        let (cost, asked, _runtime) = started(Model { objects: 600, ..model });
        // The difference of two runs leaves out the buffers of the connection, which do not depend on the number of objects.
        let (half, ..) = started(Model { objects: 300, ..model });
        let each = (cost.bytes_current - half.bytes_current) / 300;
        let own = own_bytes(model);
        assert!(each - own <= MOST_AT_REST, "{each} bytes, {own} of spec and status, {model:?}");
        assert!(cost.bytes_max < 16 * MIB, "{} at most, {model:?}", cost.bytes_max);
        let written = asked.iter().find(|(line, _)| !line.starts_with("GET"));
        assert_eq!(written, None);
        let has_read = asked.iter().filter(|(line, _)| line.contains("/secrets/")).count();
        assert!(
            if model.active { has_read >= 300 } else { has_read == 0 },
            "{has_read} passes read a password"
        );
    }
}

#[test]
fn a_watched_object_takes_at_most_256_bytes_beyond_its_spec_and_status() {
    let model = Model { fat: FAT, active: true, ..Model::default() };
    let mut kept = None;
    let cost = measure(|| {
        let objects = Objects::default();
        for number in 0..600 {
            let object: TrimmedUser = decoded(|| object(number, 7, model));
            objects.follow(&watcher::Event::Apply(object.into()));
        }
        kept = Some(objects);
    });
    let each = cost.bytes_current / 600 - own_bytes(model);
    assert!(each <= 256, "{each} bytes");
}

#[test]
fn only_the_annotations_and_finalizers_that_the_operator_uses_are_decoded() {
    let with = |finalizers: &[String], annotations: serde_json::Value| -> ElastiCacheUser {
        let object = serde_json::json!({ "metadata": {
            "name": "app", "namespace": "shop", "uid": "u", "resourceVersion": "7", "generation": 2,
            "creationTimestamp": "2026-11-30T19:54:41Z", "deletionTimestamp": "2026-11-30T19:55:41Z",
            "labels": { "l": "v" }, "finalizers": finalizers, "annotations": annotations,
        }});
        serde_json::from_value::<TrimmedUser>(object).unwrap().into()
    };
    let own =
        |request: &str| serde_json::json!({ RECONCILE_REQUESTED_AT: request, PREVENT_DELETION: "true" });
    let mut given = own("now");
    given["example.com/a"] = "b".into();
    let finalizers = |others: usize| -> Vec<String> {
        iter::once(FINALIZER.to_owned()).chain((0..others).map(|n| format!("example.com/{n}"))).collect()
    };
    let object = with(&finalizers(15), given);
    assert_eq!(serde_json::to_value(object.metadata.annotations).unwrap(), own("now"));
    assert_eq!(object.metadata.finalizers.unwrap(), finalizers(15));
    assert!(object.metadata.labels.is_none() && object.metadata.deletion_timestamp.is_some());
    // An overlong request stays overlong, and too many finalizers leave room for ours.
    let object = with(&finalizers(16), own(&"x".repeat(1000)));
    let facts = crate::kubernetes::facts(&object);
    // A pass begins again if an annotation of ours changes. One that is ignored must not cause that.
    assert!(facts.has_overlong_request && !facts.annotations.contains_key(RECONCILE_REQUESTED_AT));
    assert_eq!(object.metadata.annotations.unwrap()[RECONCILE_REQUESTED_AT].len(), 257);
    assert_eq!(object.metadata.finalizers.unwrap(), [FINALIZER, ""]);
}

#[test]
fn secrets_are_listed_as_metadata_in_small_pages_and_none_is_kept() {
    let (empty, ..) = started(Model::default());
    let (cost, asked, _runtime) = started(Model { secrets: 400, fat: 2 * FAT, ..Model::default() });
    assert!(cost.bytes_max < 16 * MIB, "{}", cost.bytes_max);
    let kept = cost.bytes_current - empty.bytes_current;
    assert!(kept < 400 * 100, "{kept} bytes are kept");
    let secrets: Vec<_> = asked.iter().filter(|(line, _)| line.contains("/secrets")).collect();
    assert!(secrets.len() > 40, "{}", secrets.len());
    for (line, accept) in secrets {
        let kind =
            if line.contains("watch=true") { "PartialObjectMetadata" } else { "PartialObjectMetadataList" };
        let accepted = format!("application/json;as={kind};g=meta.k8s.io;v=v1");
        assert_eq!(accept.as_deref(), Some(accepted.as_str()), "{line}");
    }
}

#[test]
fn a_start_with_10_000_objects_takes_few_pages_and_one_with_fat_objects_starts_over_only_to_learn_their_weight()
 {
    let pages = |model| {
        let (_, asked, _runtime) = started(model);
        asked
            .iter()
            .filter(|(line, _)| line.contains("elasticacheusers?") && !line.contains("watch=true"))
            .count()
    };
    let light = pages(Model { objects: 10_000, ..Model::default() });
    assert!(light <= 30, "{light}");
    let fat = pages(Model { objects: 600, fat: FAT, ..Model::default() });
    assert!((75..=110).contains(&fat), "{fat}");
}
