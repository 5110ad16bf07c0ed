"""The faults that importers of this kind are known for, and the tests that would catch each of them here."""

import importlib

from odoo.tests.common import BaseCase

CAUGHT_BY = {
    "every update fails, or wipes what was added here": "changes.TestChanges.test_what_was_added_here_stays",
    "groups arrive archived": "import.TestImport.test_everybody_is_a_registrant_and_active",
    "people arrive as plain contacts": "import.TestImport.test_everybody_is_a_registrant_and_active",
    "a stamp without fraction ends the run": "wire_records.TestDates.test_moments_come_out_in_utc",
    "the offset of a stamp is dropped": "wire_records.TestRecords.test_recorded_group_in_another_time_zone",
    "new or not is told by a date": "import.TestImport.test_second_import_changes_nothing",
    "the stamp to go on from is our clock's, after the run": (
        "increment.TestIncrement.test_the_stamp_is_taken_before_anything_is_read"
    ),
    "an empty run is no success": "increment.TestIncrement.test_an_import_without_changes_is_a_success",
    "an unknown document type ends the run": "held.TestHeld.test_unknown_names_wait_for_a_person",
    "a bank without a name ends the run": "held.TestHeld.test_account_without_a_bank_name_is_stored",
    "a name that differs in case is another one": (
        "import.TestImport.test_names_of_the_source_mean_what_has_that_name_here"
    ),
    "one bad record blocks every later run": (
        "changes.TestChanges.test_a_record_that_breaks_a_rule_is_alone_in_failing"
    ),
    "a changed membership raises": "changes.TestChanges.test_another_head",
    "ended and removed memberships stay": (
        "increment.TestIncrement.test_member_gone_at_the_source_ends_after_a_complete_import"
    ),
    "a membership that is there already raises": "increment.TestIncrement.test_member_who_comes_back_does_not_end",
    "all in one transaction": "faults.TestFaults.test_source_that_stays_down_ends_the_run_with_what_was_stored",
    "the import runs in the cron or the request": "schedule.TestSchedule.test_due_sources_are_enqueued",
    "two runs overlap": "faults.TestFaults.test_two_imports_do_not_overlap",
    "a refused login passes for a login": "wire_readers.TestLogin.test_refusals_inside_http_200",
    "the session stays open when the import fails": "faults.TestFaults.test_logs_out_after_a_failure",
    "the password can be read": "access.TestAccess.test_nobody_reads_the_password",
    "testing the connection reads the whole registry": "faults.TestFaults.test_connection",
    "a short timeout, no second try, a login page taken for data": (
        "faults.TestFaults.test_source_that_breaks_off_in_mid_run_is_asked_again_later"
    ),
    "an empty registry or an absent key raises": "wire_readers.TestRest.test_nothing_found_is_an_empty_list",
    "people without a group never arrive": "import.TestImport.test_person_without_a_group",
    "a person in two groups is made twice": "import.TestImport.test_person_in_two_groups",
    "the number at the source is a document, and two sources clash": (
        "import.TestImport.test_rest_dialect_brings_the_same"
    ),
    "programs only at the first sight, and only the first": "import.TestImport.test_programs_there_are_facts_here",
    "fields of modules that are not there are asked for": "wire_readers.TestJsonRpc.test_recorded_people",
    "a number of the wrong form ends the run": (
        "changes.TestChanges.test_reasons_do_not_repeat_numbers_of_documents"
    ),
    "an unknown gender raises": "held.TestHeld.test_unknown_gender_waits_whatever_the_setting",
    "no counts, no reasons, no end": "import.TestImport.test_run_says_what_it_did",
    "statements for every record that did not change": (
        "import.TestImport.test_unchanged_records_cost_no_statements_of_their_own"
    ),
    "no company": "access.TestAccess.test_other_companies_see_nothing",
}


class TestKnownFaults(BaseCase):
    def test_each_has_a_test(self):
        self.assertEqual(len(CAUGHT_BY), 34)
        for fault, place in CAUGHT_BY.items():
            module, name, test = place.split(".")
            tests = importlib.import_module(f"{__package__}.test_{module}")
            self.assertTrue(callable(getattr(getattr(tests, name), test, None)), f"{fault}: {place}")
