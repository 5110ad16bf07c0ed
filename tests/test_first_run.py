"""What the first command of the README does: from another MIS to a paid household, and never twice."""


def test_the_whole_chain_comes_out_as_counted_in_the_source(system):
    assert system.runs[0].as_expected


def test_a_second_run_comes_out_the_same(system):
    assert system.runs[1].as_expected


def test_a_second_import_writes_to_nobody(system):
    first, second = system.runs
    assert first.stamps
    assert second.stamps == first.stamps


def test_every_payment_reached_the_payer_once_although_answers_were_lost(system):
    first, second = system.runs
    assert set(first.received.values()) == {1}
    assert second.received == first.received
