"""The shipped variable is_female_headed says why it is not known; where somebody changed it, it stays."""

FORMER = (
    "group.members.filter(m, m.is_head && m.gender == 'female').size()"
    " / group.members.filter(m, m.is_head).size() == 1"
)
NOW = (
    "group.members.exists(m, m.is_head) ? group.members.exists(m, m.is_head && m.gender == 'female')"
    " : unknown('the head is not known')"
)


def migrate(cr, version):
    cr.execute(
        "UPDATE spp_cel_variable SET expression = %s WHERE name = 'is_female_headed' AND expression = %s",
        [NOW, FORMER],
    )
