# The guards of the deletion protocol, for `make mutants`: mutant NAME TARGET TEST FILE TEXT REPLACEMENT.
# Without TEXT in src/plan/FILE the guard is gone, and TEST of src/plan/tests/TARGET must fail.

# Intents and calls
mutant create_intent_heeds_that_the_object_terminates protocol \
    no_user_is_created_for_a_terminating_object_even_if_no_status_write_tests_the_version pass/perform.rs \
    'if self.object.terminating {
                    return self.conflict();' \
    'if false {
                    return self.conflict();'
mutant create_user_follows_its_intent_soon protocol \
    two_replicas_keep_the_protocol_if_calls_fail_and_a_replica_is_killed pass/perform.rs \
    'let old = is_old(ages.create_intent, pace.intent_valid);' \
    'let old = false;'
mutant delete_intent_comes_before_delete_user protocol \
    two_replicas_keep_the_protocol_if_somebody_else_creates_and_deletes_users finalize.rs \
    'if !record.deletion.is_ours() || record.manages() {' \
    'if false {'
mutant delete_intent_names_its_requester protocol \
    two_replicas_keep_the_protocol_if_somebody_else_creates_and_deletes_users status/next.rs \
    'status.delete_requested_by = Some(report.identity.to_owned());' \
    'status.delete_requested_by.get_or_insert(report.identity.to_owned());'
mutant delete_intent_removes_last_applied protocol \
    one_replica_never_orphans_its_user_or_deletes_a_foreign_one_through_three_faults last_applied.rs \
    'WriteIntent::Delete => Some(LastApplied::default()),' \
    'WriteIntent::Delete => Some(before),'
mutant reclaim_comes_before_the_owner_tags protocol \
    two_replicas_keep_the_protocol_if_somebody_takes_tags_off finalize.rs \
    'match observed.record.deletion.last_applied() {' \
    'match None::<&crate::LastApplied> {'

# The age of facts
mutant tags_are_recent_before_a_mutation protocol \
    two_replicas_keep_the_protocol_if_somebody_else_creates_and_deletes_users pass/perform.rs \
    'let old_tags = is_old(ages.tags, pace.owner_valid);' \
    'let old_tags = false;'
mutant user_is_recent_before_its_owner_tags_return protocol \
    one_replica_never_orphans_its_user_or_deletes_a_foreign_one_through_three_faults pass/perform.rs \
    'let old_user = restores && is_old(ages.user, pace.owner_valid);' \
    'let old_user = restores && false;'
mutant the_definition_is_read_again_with_the_object_before_delete_user protocol \
    users_survive_the_deletion_of_the_definition finalize.rs \
    'if !observed.object_confirmed {' \
    'if false {'
mutant the_object_is_read_again_before_a_mutation pass_rules \
    confirmed::the_object_is_the_last_thing_that_is_read_before_a_mutation_and_aws_gets_no_more_calls pass/perform.rs \
    'if !self.observed.object_confirmed {
            return' \
    'if false {
            return'
mutant confirmation_ages_with_the_tags protocol \
    two_replicas_keep_the_protocol_if_the_object_is_created_again pass/perform.rs \
    'self.observed.object_confirmed &= !old;
        old' \
    'old'

# What a process remembers
mutant open_creation_puts_an_absence_in_doubt protocol \
    one_replica_never_orphans_its_user_or_deletes_a_foreign_one_through_three_faults memory.rs \
    'pace.creation(self.age(requested, now))
            }' \
    'pace.creation(self.age(requested, now) + pace.resync)
            }'
mutant deletion_progress_forgets_after_another_requester protocol \
    two_replicas_keep_the_protocol_if_somebody_else_creates_and_deletes_users memory.rs \
    'if status.delete_requested_by.as_deref() != Some(identity) {' \
    'if false {'
mutant deletion_progress_forgets_before_delete_user protocol \
    one_replica_never_orphans_its_user_or_deletes_a_foreign_one_through_three_faults pass/perform.rs \
    'before_deletion: self.memory.before_deletion.take(), ..Doubts' \
    'before_deletion: self.memory.before_deletion.clone(), ..Doubts'

# Location and owner
mutant an_absence_counts_in_its_region_alone protocol \
    one_replica_never_orphans_its_user_or_deletes_a_foreign_one_through_three_faults location.rs \
    'if recorded.region != observed.source.region {' \
    'if false {'
mutant an_absence_counts_in_its_account_alone protocol \
    one_replica_keeps_the_protocol_although_the_operator_moves_to_another_account location.rs \
    '(Some(recorded), Account::Known(account)) if recorded != account =>' \
    '(Some(recorded), Account::Known(account)) if recorded != account && false =>'
mutant location_stays_while_a_creation_is_open protocol \
    one_replica_never_orphans_its_user_or_deletes_a_foreign_one_through_three_faults status/next.rs \
    'if report.observed.record.creation == Creation::Closed && !sent {' \
    'if true || sent {'
mutant owner_tags_name_this_object protocol \
    one_replica_never_orphans_its_user_or_deletes_a_foreign_one_through_three_faults owner.rs \
    'return Ownership::Ours;
        }' \
    'return Ownership::Ours;
        }
        if found.iter().any(Option::is_some) {
            return Ownership::Ours;
        }'
mutant a_user_is_adopted_only_if_its_owner_is_gone protocol \
    a_user_is_adopted_only_if_its_owner_was_gone_when_it_was_last_read ensure_present.rs \
    'OwnerObservation::Exists | OwnerObservation::Unknown => {' \
    'OwnerObservation::Exists | OwnerObservation::Unknown if true => adopt(desired, user, observed, None),
            OwnerObservation::Exists | OwnerObservation::Unknown => {'
mutant the_definition_is_read_after_the_object protocol \
    users_survive_the_deletion_of_the_definition pass/observe.rs \
    'if definition {
                    self.observed.definition' \
    'if false {
                    self.observed.definition'

# What status shows
mutant status_shows_no_user_of_others protocol \
    one_replica_never_orphans_its_user_or_deletes_a_foreign_one_through_three_faults status_user.rs \
    'is_recorded(record, user) && as_reported(record, user) && !another' \
    'true || another'
mutant a_doubtful_absence_keeps_the_arn protocol \
    one_replica_keeps_the_protocol_although_the_operator_moves_to_another_account status_user.rs \
    'UserObservation::Absent if is_gone(observed) ||' \
    'UserObservation::Absent if true ||'
mutant the_successor_of_a_deleted_user_is_another_one tables \
    status_user::status_shows_a_user_only_if_it_is_known_to_be_the_objects status_user.rs \
    'as_reported(record, user) && !another' \
    'as_reported(record, user) && (!another || true)'
mutant status_keeps_a_user_whose_tags_are_not_read tables \
    status_user::a_user_that_was_seen_gone_leaves_status_and_its_successor_begins_anew status_user.rs \
    'lost && matches!(observed.tags, TagsObservation::Read(_))' \
    'lost'

# A user that was seen gone
mutant an_absence_is_remembered_until_status_is_written tables \
    seen_gone::a_user_that_appears_after_user_not_found_is_ours_only_if_status_was_written_since memory.rs \
    'self.seen_gone = true;' \
    'self.seen_gone = false;'
mutant an_absence_that_status_knows_is_not_remembered tables \
    seen_gone::a_user_that_appears_after_user_not_found_is_ours_only_if_status_was_written_since pass/observe.rs \
    'self.memory.seen_gone &= self.object.status.manages();' \
    ''

mutant an_absence_is_remembered_only_if_its_account_is_known tables \
    seen_gone::user_not_found_is_remembered_only_if_it_is_believed pass/observe.rs \
    'if !is_gone(&self.observed) {' \
    'if self.observed.user != UserObservation::Absent || self.observed.record.creation == Creation::Open {'
mutant an_absence_is_remembered_only_if_no_creation_is_open tables \
    seen_gone::user_not_found_is_remembered_only_if_it_is_believed location.rs \
    '&& observed.record.creation == Creation::Closed' \
    ''
mutant a_user_that_aws_deletes_elsewhere_is_not_ours tables \
    seen_gone::a_user_that_aws_deletes_in_another_account_is_not_the_one_in_status pass/observe.rs \
    'if wrong_location(&self.observed.record, user).is_none() {' \
    'if true {'
mutant only_tags_of_ours_settle_a_creation tables \
    seen_gone::only_a_user_of_ours_settles_a_creation pass/observe.rs \
    'if ownership == Ownership::Ours {' \
    'if true {'
mutant only_a_known_user_of_ours_settles_a_creation tables \
    seen_gone::only_a_user_of_ours_settles_a_creation pass/observe.rs \
    'if self.observed.known_owner == Some(Ownership::Ours) {' \
    'if self.observed.known_owner.is_some() {'

mutant no_absence_of_an_unknown_account_is_remembered convergence \
    named::a_user_without_tags_is_deleted_although_user_not_found_came_from_an_unknown_account pass/observe.rs \
    'if !is_gone(&self.observed) {' \
    'if self.observed.user != UserObservation::Absent || self.observed.record.creation == Creation::Open {'

# The user of a vanished object
mutant the_uid_tag_names_the_vanished_object tables \
    orphan::a_user_whose_tags_do_not_name_the_vanished_object_stays orphan.rs \
    '(Ownership::Ours, Some(uid)) if *uid != self.uid =>' \
    '(Ownership::Ours, Some(uid)) if uid.is_empty() =>'
mutant a_user_in_another_account_ends_no_search tables \
    orphan::only_user_not_found_in_the_right_account_ends_the_search_for_the_user orphan.rs \
    'if wrong_location(&observed.record, user).is_some() {' \
    'if false && wrong_location(&observed.record, user).is_some() {'
mutant the_namesake_is_read_again_before_delete_user pass_rules \
    orphaned::an_object_of_the_same_name_that_appears_meanwhile_keeps_the_user pass/orphaned.rs \
    'self.observed.namesake = namesake;' \
    'if self.observed.namesake == Namesake::NotRead { self.observed.namesake = namesake; }'
mutant tags_of_an_orphan_age pass_rules \
    orphaned::tags_older_than_two_seconds_are_read_again_before_delete_user pass/perform.rs \
    'let old_tags = is_old(ages.tags, pace.owner_valid);' \
    'let old_tags = false;'
mutant a_refused_deletion_of_an_orphan_is_not_counted pass_rules \
    orphaned::a_user_that_somebody_else_deletes_after_aws_refused_us_is_not_counted pass/perform.rs \
    'self.take_delete_request_back();' \
    ''

# The survivor of cargo-mutants
mutant the_create_intent_keeps_the_keys_of_an_open_creation tables \
    create_intent::the_intent_of_a_create_user_keeps_the_tag_keys_of_an_earlier_one_that_is_open ensure_present.rs \
    'if observed.record.creation == Creation::Open {' \
    'if observed.record.creation != Creation::Open {'
