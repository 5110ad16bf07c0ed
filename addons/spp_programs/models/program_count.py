"""How many members of a program are in each state, at no cost, however many they are.

The database notes by how much each statement changes these numbers, in rows of its own that are only ever added: so
nobody waits for somebody else's numbers. Their sums are the numbers, and every night the rows are put together.
"""

from odoo import api, fields, models
from odoo.tools import SQL

_TRIGGERS = """
    CREATE OR REPLACE FUNCTION spp_program_count() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            INSERT INTO spp_program_count (program_id, state, outcome, members)
            SELECT program_id, state, outcome, count(*) FROM new_rows GROUP BY program_id, state, outcome;
        ELSIF TG_OP = 'UPDATE' THEN
            INSERT INTO spp_program_count (program_id, state, outcome, members)
            SELECT program_id, state, outcome, sum(members)
              FROM (SELECT program_id, state, outcome, 1 AS members FROM new_rows
                     UNION ALL
                    SELECT program_id, state, outcome, -1 FROM old_rows) AS changed
             GROUP BY program_id, state, outcome
            HAVING sum(members) <> 0;
        ELSE  -- a program may go with its members
            INSERT INTO spp_program_count (program_id, state, outcome, members)
            SELECT program_id, state, outcome, -count(*) FROM old_rows
             WHERE EXISTS (SELECT FROM spp_program p WHERE p.id = program_id)
             GROUP BY program_id, state, outcome;
        END IF;
        RETURN NULL;
    END $$;

    CREATE OR REPLACE TRIGGER spp_program_count_insert AFTER INSERT ON spp_program_membership
        REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION spp_program_count();
    CREATE OR REPLACE TRIGGER spp_program_count_update AFTER UPDATE ON spp_program_membership
        REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION spp_program_count();
    CREATE OR REPLACE TRIGGER spp_program_count_delete AFTER DELETE ON spp_program_membership
        REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION spp_program_count();
"""


class ProgramCount(models.Model):
    _name = "spp.program.count"
    _description = "Number of members by state"

    program_id = fields.Many2one(comodel_name="spp.program", required=True, index=True, ondelete="cascade")
    state = fields.Char(required=True, readonly=True)
    outcome = fields.Char(readonly=True)
    members = fields.Integer(required=True, readonly=True, help="More than before, or fewer.")

    def init(self):
        result = super().init()
        cr = self.env.cr
        cr.execute("SELECT FROM pg_trigger WHERE tgname = 'spp_program_count_update'")
        is_new = not cr.rowcount
        cr.execute(_TRIGGERS)
        if is_new:  # members may be there already
            cr.execute("""
                INSERT INTO spp_program_count (program_id, state, outcome, members)
                SELECT program_id, state, outcome, count(*) FROM spp_program_membership
                 GROUP BY program_id, state, outcome
            """)
        return result

    @api.model
    def _of(self, programs):
        """[(program id, state, outcome, number of members)], whatever areas they live in."""
        self.env["spp.program.membership"].flush_model(["program_id", "state", "outcome"])
        self.env.cr.execute(
            SQL(
                """
                SELECT program_id, state, outcome, sum(members)::integer FROM spp_program_count
                 WHERE program_id = ANY(%s)
                 GROUP BY program_id, state, outcome
                HAVING sum(members) <> 0
                """,
                list(programs.ids),
            )
        )
        return self.env.cr.fetchall()

    @api.autovacuum
    def _put_together(self):
        self.env.cr.execute("""
            WITH noted AS (DELETE FROM spp_program_count RETURNING program_id, state, outcome, members)
            INSERT INTO spp_program_count (program_id, state, outcome, members)
            SELECT program_id, state, outcome, sum(members) FROM noted
             GROUP BY program_id, state, outcome
            HAVING sum(members) <> 0
        """)


class Program(models.Model):
    _inherit = "spp.program"

    member_count = fields.Integer(compute="_compute_member_counts")
    candidate_count = fields.Integer(compute="_compute_member_counts")
    undetermined_count = fields.Integer(compute="_compute_member_counts")
    enrolled_count = fields.Integer(compute="_compute_member_counts")
    ineligible_count = fields.Integer(compute="_compute_member_counts")

    def _compute_member_counts(self):
        counts = {}
        for program_id, state, outcome, count in self._members_by_state():
            of_program = counts.setdefault(program_id, {})
            of_program["all"] = of_program.get("all", 0) + count
            of_program[state] = of_program.get(state, 0) + count
            if (state, outcome) == ("candidate", "undetermined"):
                of_program["undetermined"] = count
        for program in self:
            of_program = counts.get(program.id, {})
            program.member_count = of_program.get("all", 0)
            program.candidate_count = of_program.get("candidate", 0)
            program.undetermined_count = of_program.get("undetermined", 0)
            program.enrolled_count = of_program.get("enrolled", 0)
            program.ineligible_count = of_program.get("ineligible", 0)

    def _members_by_state(self):
        """[(program id, state, outcome, number of those whom the user may see)]"""
        # sudo: only one's own areas
        if self.env.su or not self.env.user.sudo().spp_area_ids:
            return self.env["spp.program.count"]._of(self)
        groups = self.env["spp.program.membership"]._read_group(
            [("program_id", "in", self.ids)], ["program_id", "state", "outcome"], ["__count"]
        )
        return [(program.id, state, outcome, count) for program, state, outcome, count in groups]
