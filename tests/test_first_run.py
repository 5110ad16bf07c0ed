"""What the first command of the README does: from another MIS to a paid household, and never twice."""


def test_the_whole_chain_comes_out_as_counted_in_the_source(system):
    assert system.came_out


def test_a_second_run_imports_nothing_twice_and_pays_nobody_twice(system, capsys):
    before = _books(system)
    stamps = _stamps(system)

    assert system.run_job()

    assert _books(system) == before
    assert _stamps(system) == stamps


def test_every_payment_reached_the_payer_once_although_an_answer_was_lost(system):
    counts = system.chain()._control("payer", "state")["counts"]
    assert counts
    assert set(counts.values()) == {1}


def _books(system):
    return system.chain()._control("payer", "state")["counts"]


def _stamps(system):
    """When each registrant was last written: an import that changes nothing writes nothing."""
    people = system.log_in("officer")(
        "res.partner", "search_read", [("is_registrant", "=", True)], ["write_date"]
    )
    return {person["id"]: person["write_date"] for person in people}
