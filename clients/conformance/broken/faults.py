"""What can be wrong with a client, and which scenario must see it."""

from conformance.messages import token

# Fault: the scenario named for it. Those of sessions are played in one.
FAULTS = {
    # Continuity.
    "ignores_a_gap": "gap",
    "applies_duplicates": "duplicate",
    "takes_backward_ranges": "backward_range",
    "looks_at_one_partition": "gap_in_a_partition",
    "takes_partitions_anywhere": "late_partition",
    "knows_all_partitions": "partitions",
    "trusts_a_resumed_stream": "resumed_ahead",
    "holds_on_to_an_incarnation": "other_incarnation",
    "shows_what_it_then_reports": "overlap",
    "wants_every_commit": "conflated",
    "skips_progress": "progress_only",
    # Snapshots.
    "does_not_wait_for_the_end": "changes_before_the_end",
    "takes_a_second_snapshot_end": "second_snapshot_end",
    "takes_a_silent_snapshot": "silent_snapshot_after_resume",
    "takes_an_end_without_a_position": "end_without_a_position",
    "takes_snapshots_for_rows_only": "snapshot_moves_on",
    "drops_the_ends_rows": "rows_with_the_end",
    "takes_no_token_in_a_snapshot": "cut_in_the_snapshot",
    "keeps_rows_that_came_after_a_token": "cut_after_the_snapshots_token",
    "keeps_rows_over_a_new_start": "cut_before_the_snapshots_token",
    # Batches.
    "drops_fragments": "fragments",
    "applies_half_a_commit": "cut_in_a_fragment",
    "keeps_fragments_over_a_cut": "cut_in_a_fragment",
    "takes_a_missing_token": "cut_in_a_fragment",
    "takes_changes_without_a_range": "changes_without_a_range",
    "takes_a_change_without_a_kind": "change_without_a_kind",
    "tidies_batches_up": "key_twice_in_a_batch",
    "treats_left_as_nothing": "filtered",
    "treats_deleted_as_nothing": "snapshot_then_changes",
    "wants_to_hold_what_goes": "not_held",
    "hides_finality": "finality",
    "hides_watermark": "watermark_back",
    "fails_at_unknown_fields": "unknown_fields",
    "takes_small_messages_only": "large_row",
    # Resuming.
    "resumes_without_the_token": "cut_after_a_token",
    "resumes_from_the_snapshots_end": "cut_after_a_token",
    "ignores_a_given_token": "resume_flag",
    "forgets_its_filter": "keyed",
    "takes_an_end_for_the_end": "end_with_ok",
    # Resets.
    "keeps_rows_over_a_reset": "reset_in_mid_stream_history_trimmed",
    "keeps_the_token_over_a_reset": "cut_after_a_reset",
    "keeps_fragments_over_a_reset": "reset_in_a_fragment",
    # When to come back.
    "comes_back_at_once": "cut_after_a_token",
    "gives_up_at_once": "cut_before_the_first_response",
    "is_impatient": "slow_server",
    "ignores_a_drain": "drain_in_the_snapshot",
    "ignores_the_drains_token": "drain",
    "keeps_a_drains_time": "drain_again",
    "ignores_the_retry_delay": "retry_delay",
    "takes_the_retry_delay_for_a_backoff": "short_retry_delay",
    "does_not_back_off": "backoff",
    "has_no_jitter": "backoff",
    "never_begins_again": "backoff",
    "gives_up_at_internal": "retried_codes",
    "retries_what_is_refused_for_good": "refused_not_found",
    "is_refused_early_only": "refused_in_mid_stream",
    # Sessions.
    "forgets_keys_applied": "keys_at_the_token",
    "takes_keys_for_applied": "cut_with_requests",
    "forgets_requests": "cut_with_requests",
    "forgets_requests_at_a_reset": "keys_and_a_reset",
    "wants_an_answer_with_rows": "keys_in_order",
    "numbers_requests_anew": "cut_with_requests",
    "keeps_rows_of_removed_keys": "keys_come_and_go",
    "takes_keys_in_any_order": "keys_out_of_order",
    "opens_without_keys": "emptied",
    "asks_for_a_watch_at_once": "one_watch_is_refused",
    "wants_to_know_every_watch": "update_of_nobodys_watch",
    "ends_with_a_watch": "one_watch_fails",
    "asks_again_for_what_failed": "one_watch_fails",
    "takes_the_first_update_only": "several_in_a_message",
    "mixes_watches_up": "fragments_among_others",
    "has_one_token_for_all": "session_drain",
    "forgets_an_unwatch": "unwatched",
    # Reads.
    "asks_in_its_own_order": "get_in_order",
    "takes_no_row_for_an_empty_one": "get_in_order",
    "takes_an_empty_row_for_none": "get_in_order",
    "hides_a_reads_position": "get_in_order",
    "hides_a_reads_watermark": "get_with_finality",
    "hides_a_reads_finality": "get_with_finality",
    "forgets_min_position": "read_after_a_write",
    "takes_any_number_of_entries": "wrong_number_of_entries",
    "gives_up_a_read": "read_over_a_cut_connection",
    "reads_again_at_once": "read_cut",
    "reads_without_backoff": "read_backoff",
    "reads_without_jitter": "read_backoff",
    "reads_beyond_its_deadline": "read_deadline",
    "reads_before_the_retry_delay": "read_retry_delay",
    "reads_nothing_again_but_unavailable": "read_retry_delay",
    "waits_beyond_its_deadline": "delay_beyond_the_deadline",
    "reads_what_is_refused_again": "read_refused",
    "hides_why_a_read_is_refused": "read_refused",
    "takes_a_short_page_for_the_last": "scan_of_pages",
    "takes_an_empty_page_for_the_last": "scan_of_pages",
    "forgets_the_page_size": "scan_of_pages",
    "forgets_the_filter_of_a_page": "scan_filtered",
    "takes_any_number_of_finality": "finality_of_other_rows",
    "starts_a_cut_scan_again": "scan_cut_between_pages",
    "gives_up_an_aborted_scan": "scan_aborted",
    "keeps_rows_of_an_aborted_scan": "scan_aborted",
    "keeps_the_token_of_an_aborted_scan": "scan_aborted_before_a_row",
    "hands_rows_over_again": "scan_aborted_after_rows",
    "scans_for_ever": "scan_aborted_for_ever",
    "scans_on_at_another_position": "pages_at_two_positions",
    # Of scenarios that the others do not fail.
    "takes_position_zero_for_none": "empty_snapshot",
    "tidies_snapshots_up": "key_twice_in_a_snapshot",
    "knows_one_cause_of_a_reset": "reset_in_mid_stream_view_rebuilt",
    "takes_a_reset_for_all_of_a_response": "reset_with_its_rows",
    "hides_why_it_is_refused": "no_such_view",
    "adds_no_key_again": "removed_and_added_again",
}


def _shows(keys: str, right: str) -> str:
    """Rows of `tally` with these keys, each a letter, instead of the right
    ones."""
    shown, wanted = ([f'{{"k": "{key}"}}' for key in x] for x in (keys, right))
    return f"its lines come to {shown}, not to {wanted}"


def _comes_with(name: str, last: str) -> str:
    """Tokens of these names; "": none."""
    came, wanted = (token(x) if x else b"" for x in (name, last))
    return f"came with token {came!r}, the last one is {wanted!r}"


_TAKES_IT = "showed what breaks a promise"
_NOTHING_FOUND = "neither reported nor shown; found []"
_WRONG_MIRROR = "its mirror holds"
_ENDED = "the driver has ended: "
_REPORTS = _ENDED + '{"marker": "error", "detail": '
_BACK = "came back instead of the driver's end"
_ASKED_AGAIN = "came back instead of the answer to a read"
_TOO_SOON = "not before 299 ms"
_AT_ONCE = "not before 24 ms"
_NO_JITTER = "waits without jitter"
_NOT_BROKEN = "and not that it is broken"

# Fault: what the scenario must say of it. For another reason it must not fail:
# that would be a fault that nobody meant.
SAYS = {
    "ignores_a_gap": _TAKES_IT,
    "applies_duplicates": _TAKES_IT,
    "takes_backward_ranges": _TAKES_IT,
    "looks_at_one_partition": _TAKES_IT,
    "takes_partitions_anywhere": _TAKES_IT,
    "knows_all_partitions": _REPORTS + '"a partition that is new"',
    "trusts_a_resumed_stream": _TAKES_IT,
    "holds_on_to_an_incarnation": _REPORTS + '"another incarnation"',
    "shows_what_it_then_reports": "half a batch was shown, before the end",
    "wants_every_commit": _REPORTS + '"range (5, 1005]',
    "skips_progress": _comes_with("5", "12"),
    # Snapshots.
    "does_not_wait_for_the_end": _TAKES_IT,
    "takes_a_second_snapshot_end": _TAKES_IT,
    "takes_a_silent_snapshot": _TAKES_IT,
    "takes_an_end_without_a_position": _TAKES_IT,
    "takes_snapshots_for_rows_only": _shows("abcd", "acd"),
    "drops_the_ends_rows": _shows("a", "ab"),
    "takes_no_token_in_a_snapshot": _comes_with("", "s2"),
    "keeps_rows_over_a_new_start": _WRONG_MIRROR,
    "keeps_rows_that_came_after_a_token": _WRONG_MIRROR,
    # Batches.
    "drops_fragments": _shows("abc", "ac"),
    "applies_half_a_commit": "half a batch was shown, before {'marker': 'conn",
    "keeps_fragments_over_a_cut": _shows("acd", "abc"),
    "takes_a_missing_token": _comes_with("", "6"),
    "takes_changes_without_a_range": _TAKES_IT,
    "takes_a_change_without_a_kind": _TAKES_IT,
    "tidies_batches_up": _NOTHING_FOUND,
    "treats_left_as_nothing": _shows("bcd", "cd"),
    "treats_deleted_as_nothing": _shows("abcd", "bcd"),
    "wants_to_hold_what_goes": "is gone, and was not there",
    "hides_finality": "finality [None, None, None, None], not",
    "hides_watermark": _NOTHING_FOUND,
    "fails_at_unknown_fields": _REPORTS + '"a response that says nothing"',
    "takes_small_messages_only": "came back instead of a line",
    # Resuming.
    "resumes_without_the_token": _comes_with("", "6"),
    "resumes_from_the_snapshots_end": _comes_with("5", "6"),
    "ignores_a_given_token": _comes_with("", "of another process"),
    "forgets_its_filter": "came with keys []",
    "takes_an_end_for_the_end": _ENDED + '{"marker": "mirror"',
    # Resets.
    "keeps_rows_over_a_reset": _WRONG_MIRROR,
    "keeps_the_token_over_a_reset": _comes_with("5", ""),
    "keeps_fragments_over_a_reset": _shows("bcx", "bc"),
    # When to come back.
    "comes_back_at_once": _AT_ONCE,
    "gives_up_at_once": _ENDED + "client: UNAVAILABLE",
    "is_impatient": "came back instead of silence",
    "ignores_a_drain": _TOO_SOON,
    "ignores_the_drains_token": _comes_with("6", "drained"),
    "keeps_a_drains_time": " ms, not 30 ms",
    "ignores_the_retry_delay": _TOO_SOON,
    "takes_the_retry_delay_for_a_backoff": _AT_ONCE,
    "does_not_back_off": ", not more than half of",
    "has_no_jitter": _NO_JITTER,
    "never_begins_again": " ms before attempt 1, not at most 50",
    "gives_up_at_internal": _ENDED + "client: INTERNAL",
    "retries_what_is_refused_for_good": _BACK,
    "is_refused_early_only": _BACK,
    # Sessions.
    "forgets_keys_applied": r"came with keys [b'\n\x01a', b'\n\x01b']",
    "takes_keys_for_applied": r"came with keys [b'\n\x01b', b'\n\x01c', b'\n",
    "forgets_requests": " s for request 2 for keys",
    "forgets_requests_at_a_reset": '"keys of request 2 are not the next"',
    "wants_an_answer_with_rows": " s for keys_applied (1, 2)",
    "numbers_requests_anew": "asked with request 3, not 2",
    "keeps_rows_of_removed_keys": _WRONG_MIRROR,
    "takes_keys_in_any_order": " s for the driver's end",
    "opens_without_keys": "came with keys []",
    "asks_for_a_watch_at_once": "asked again after",
    "wants_to_know_every_watch": _REPORTS + '"no watch 4000000000"',
    "ends_with_a_watch": _ENDED + "client: FAILED_PRECONDITION",
    "asks_again_for_what_failed": "requests too many: [watch",
    "takes_the_first_update_only": '"range (7, 8] of partition 0 does not',
    "mixes_watches_up": _shows("ac", "bc"),
    "has_one_token_for_all": _comes_with("t8", "w5"),
    "forgets_an_unwatch": "requests too many: [watch",
    # Reads.
    "asks_in_its_own_order": "asked for",
    "takes_no_row_for_an_empty_one": "{'row': {'k': None, 'n': None, 'note'",
    "takes_an_empty_row_for_none": "None, {'row': {'k': 'b', 'n': 1",
    "hides_a_reads_position": "{'k': 'b', 'n': 1, 'note': None}}]}, not",
    "hides_a_reads_watermark": "'partition': 0, 'seq': 5}]}}, not",
    "hides_a_reads_finality": "'2026-01-02T12:00:00Z'}}, {'row'",
    "forgets_min_position": "asked for",
    "takes_any_number_of_entries": _NOT_BROKEN,
    "gives_up_a_read": "did not try again",
    "reads_again_at_once": _AT_ONCE,
    "reads_without_backoff": ", not more than half of",
    "reads_without_jitter": _NO_JITTER,
    "reads_beyond_its_deadline": "goes on beyond its deadline",
    "reads_before_the_retry_delay": _TOO_SOON,
    "reads_nothing_again_but_unavailable": "'cut by the script'} instead of",
    "waits_beyond_its_deadline": " s for the answer to a read",
    "reads_what_is_refused_again": _ASKED_AGAIN,
    "hides_why_a_read_is_refused": "'detail': 'refused'}, without 'no, because",
    "takes_a_short_page_for_the_last": "said {'marker': 'scanned'",
    "takes_an_empty_page_for_the_last": "said {'marker': 'scanned'",
    "forgets_the_page_size": "page_token: \"t1\"\ninstead of",
    "forgets_the_filter_of_a_page": "page_token: \"t1\"\ninstead of",
    "takes_any_number_of_finality": _NOT_BROKEN,
    "starts_a_cut_scan_again": "page_size: 1\ninstead of",
    "gives_up_an_aborted_scan": "'cut by the script'} instead of a call",
    "keeps_rows_of_an_aborted_scan": "handed over",
    "keeps_the_token_of_an_aborted_scan": "page_token: \"t1\"\ninstead of",
    "hands_rows_over_again": _ASKED_AGAIN,
    "scans_for_ever": _ASKED_AGAIN,
    "scans_on_at_another_position": _ASKED_AGAIN,
    # Of scenarios that the others do not fail.
    "takes_position_zero_for_none": "a snapshot's end without a position",
    "tidies_snapshots_up": _shows("a", "a"),  # of another value
    "knows_one_cause_of_a_reset": _REPORTS + '"a snapshot without a reset"',
    "takes_a_reset_for_all_of_a_response": "changes before the snapshot's end",
    "hides_why_it_is_refused": "stderr lacks the reason",
    "adds_no_key_again": r"came with keys [b'\n\x01b']",
}

# Those that make the client stand still: only of these a wait that was too
# long is the right reason.
STANDS_STILL = {
    "forgets_requests",
    "gives_up_a_read",
    "takes_keys_in_any_order",
    "waits_beyond_its_deadline",
    "wants_an_answer_with_rows",
}

# Further scenarios that a fault must fail, and what they must say of it: with
# these, every scenario is known to be failed by some client.
FURTHER = {
    ("ignores_a_gap", "gap_in_fragments"): _TAKES_IT,
    ("trusts_a_resumed_stream", "resumed_behind"): _TAKES_IT,
    ("takes_a_silent_snapshot", "silent_snapshot"): _TAKES_IT,
    ("forgets_its_filter", "prefixed"): "came with prefix b''",
    ("resumes_from_the_snapshots_end", "cut_the_connection"): _comes_with(
        "5", "6"
    ),
    ("keeps_rows_over_a_reset", "reset_in_a_snapshot"): _WRONG_MIRROR,
    ("keeps_rows_over_a_reset", "reset_to_nothing"): _WRONG_MIRROR,
    ("keeps_rows_over_a_reset", "two_views"): _WRONG_MIRROR,
    (
        "keeps_rows_over_a_reset", "reset_as_first_response_history_trimmed"
    ): _WRONG_MIRROR,
    **{
        ("knows_one_cause_of_a_reset", f"reset_{when}"): "without a reset"
        for when in (
            "in_mid_stream_unknown_incarnation",
            "as_first_response_unknown_incarnation",
            "as_first_response_view_rebuilt",
        )
    },
    ("ignores_the_drains_token", "drain_for_no_time"): _comes_with(
        "5", "drained"
    ),
    ("ignores_a_drain", "drain_without_a_token"): _TOO_SOON,
    **{
        ("retries_what_is_refused_for_good", f"refused_{code}"): _BACK
        for code in (
            "invalid_argument", "already_exists", "permission_denied",
            "unauthenticated", "failed_precondition", "out_of_range",
            "unimplemented",
        )
    },
    ("takes_keys_in_any_order", "keys_nobody_asked_for"): " s for the driver's",
    ("keeps_rows_of_removed_keys", "keys_before_the_end"): _WRONG_MIRROR,
    (
        "takes_keys_for_applied", "asked_while_away"
    ): r"came with keys [b'\n\x01a', b'\n\x01c']",
    ("is_refused_early_only", "session_refused"): _BACK,
    ("has_one_token_for_all", "opened_later"): _comes_with("t5", ""),
}  # fmt: skip
