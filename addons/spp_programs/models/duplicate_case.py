"""Two registrants who may be one: found by blocking, decided by a person, and not asked about again.

The search is one statement for each kind of finding. Who shares a key (a document, a phone, a person, a birthdate
with two names) forms a block; pairs are made inside of a block only. A block above a limit, such as a phone that a
whole village gives, is one finding about the block and no pairs.
"""

from functools import reduce

from markupsafe import Markup

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from odoo.addons.spp_base.tools import statistics
from odoo.addons.spp_registry.models.res_partner import ACCOUNT_READERS, DOCUMENT_READERS
from odoo.addons.spp_registry.tools.membership import live_domain, live_sql

from .program_membership import DECISIONS

KINDS = ("same_document", "same_phone", "two_households", "similar_name")
#: The most registrants of a block whose pairs are listed; the system parameter spp_programs.duplicate_block.
BLOCK = 10
#: The most blocks above the limit that a run lists.
LISTED = 100

#: From a name to how it sounds: each step works on what the one before left, in place of “…”.
SOUND = (
    r"lower(regexp_replace(normalize(…, NFD), '[\u0300-\u036f''’`]', '', 'g'))",  # accents and apostrophes
    "regexp_replace(…, '[[:space:],.;:/()-]+', ' ', 'g')",
    "translate(replace(…, 'ph', 'f'), 'cqzyw', 'kksiv')",
    "regexp_replace(…, '(?<=[^ ])[aeiouh]', '', 'g')",  # vowels, but not the first letter
    r"regexp_replace(…, '([^ ])\1+', '\1', 'g')",  # double letters
)


class DuplicateCase(models.Model):
    _name = "spp.duplicate.case"
    _inherit = ["spp.guarded.mixin"]
    _audit_other_partner = "other_id"
    _description = "Suspected duplicate"
    _order = "id"
    _rec_names_search = ["partner_id", "other_id"]

    _guarded_fields = frozenset(
        {"partner_id", "other_id", *KINDS}
        | {"state", "set_aside_id", "reason", "decided_by", "decided_at", "what_followed"}
    )

    partner_id = fields.Many2one(
        comodel_name="res.partner",
        string="Registered first",
        required=True,
        readonly=True,
        ondelete="restrict",
    )
    other_id = fields.Many2one(
        comodel_name="res.partner",
        string="Registered later",
        required=True,
        readonly=True,
        index=True,
        ondelete="restrict",
    )
    same_document = fields.Boolean(
        string="Same document", readonly=True, default=False, help="Both claim one identity document."
    )
    same_phone = fields.Boolean(
        string="Same phone",
        readonly=True,
        default=False,
        help="Both give one phone number, and do not live in one household.",
    )
    two_households = fields.Boolean(
        string="Same person in both",
        readonly=True,
        default=False,
        help="One person lives in both households now.",
    )
    similar_name = fields.Boolean(
        string="Similar name, same birthdate",
        readonly=True,
        default=False,
        help="The names sound alike, in any order, perhaps with one name less, and the birthdate is the same.",
    )
    finding = fields.Char(string="Why suspected", compute="_compute_finding")
    is_group = fields.Boolean(string="Households", related="partner_id.is_group")
    state = fields.Selection(
        selection=[("open", "Open"), ("same", "Same"), ("different", "Different")],
        required=True,
        readonly=True,
        default="open",
    )
    set_aside_id = fields.Many2one(
        comodel_name="res.partner",
        string="Set aside",
        readonly=True,
        index="btree_not_null",
        ondelete="restrict",
        help="The one of the two who is no longer enrolled anywhere beside the other.",
    )
    reason = fields.Char(string="Reason of the decision", readonly=True)
    decided_by = fields.Many2one(
        comodel_name="res.users", string="Decided by", readonly=True, ondelete="restrict"
    )
    decided_at = fields.Datetime(string="Decided at", readonly=True)
    what_followed = fields.Text(string="What followed", readonly=True)
    comparison = fields.Html(string="Side by side", compute="_compute_comparison", sanitize=False)

    _sql_constraints = [
        ("pair_unique", "UNIQUE(partner_id, other_id)", "There is a case about these two already."),
        ("pair_order", "CHECK(partner_id < other_id)", "A case names the one registered first, first."),
        (
            "same_sets_aside",
            "CHECK((state = 'same') = (set_aside_id IS NOT NULL))",
            "Who is the same as somebody else is set aside.",
        ),
    ]

    def init(self):
        self.env.cr.execute("""
            CREATE INDEX IF NOT EXISTS spp_duplicate_case_open_idx
                ON spp_duplicate_case (id) WHERE state = 'open'
        """)

    @api.depends("partner_id", "other_id")
    def _compute_display_name(self):
        for case in self:
            case.display_name = f"{case.partner_id.display_name} / {case.other_id.display_name}"

    @api.depends(*KINDS)
    def _compute_finding(self):
        for case in self:
            found = [self._fields[kind]._description_string(self.env) for kind in KINDS if case[kind]]
            case.finding = ", ".join(found)

    @api.depends("partner_id", "other_id")
    @api.depends_context("uid")
    def _compute_comparison(self):
        head = Markup("<tr><th></th><th>%s</th><th>%s</th></tr>")
        row = Markup("<tr class='%s'><th class='text-nowrap'>%s</th><td>%s</td><td>%s</td></tr>")
        for case in self:
            rows = [
                row
                % (
                    "table-warning" if line["differs"] else "",
                    line["field"],
                    Markup("<br/>").join(line["first"]),
                    Markup("<br/>").join(line["second"]),
                )
                for line in case._compared()
            ]
            case.comparison = Markup("<table class='table table-sm'>%s</table>") % (
                head % (case.partner_id.display_name, case.other_id.display_name) + Markup("").join(rows)
            )

    # ------------------------------------------------------------------ actions

    def compare(self):
        """The two side by side, as far as the user may see them: `[{field, first, second, differs}]`, texts in lists."""
        self.ensure_one()
        self.check_access_rights("read")
        self.check_access_rule("read")
        return self._compared()

    def consequences(self, set_aside_id):
        """What follows if the two are the same and `set_aside_id` is set aside: a list of sentences."""
        self.ensure_one()
        self.check_access_rights("read")
        self.check_access_rule("read")
        return self._plan(self._one_of_both(set_aside_id))["sentences"]

    def action_same(self, set_aside_id, reason):
        """Decide that the two are the same, and set one of them aside. Nothing is deleted.

        Wherever both are members of a program, the one set aside is marked as a duplicate there. Their place in a
        household ends today. They come into no other program as a candidate.

        :param set_aside_id: id of the one of the two (res.partner) who is set aside
        :param reason: why, in plain words
        """
        self.ensure_one()
        reason = self._begin_decision(reason)
        aside = self._one_of_both(set_aside_id)
        plan = self._plan(aside)
        for program, members in plan["members"].grouped("program_id").items():
            self.env["spp.enrollment.decision"]._take(
                program,
                "duplicate",
                SQL("SELECT unnest(%s::integer[])", members.ids),
                _(
                    "Same as %(kept)s: %(reason)s",
                    kept=(self.partner_id + self.other_id - aside).name,
                    reason=reason,
                ),
                fields.Date.context_today(self),
            )
        # sudo: what follows from the decision is done whole, also where a manager decides, who edits no household
        plan["places"].sudo().write({"ended": fields.Date.context_today(self)})
        self._conclude("same", reason, set_aside_id=aside.id, what_followed="\n".join(plan["sentences"]))
        return True

    def action_different(self, reason):
        """Decide that the two are two. They are not brought up again.

        :param reason: why, in plain words
        """
        reason = self._begin_decision(reason)
        self._conclude(
            "different", reason, what_followed=_("Nothing changes; they are not brought up again.")
        )
        return True

    def action_reopen(self, reason):
        """Ask again about cases that were decided. What followed from "same" stays: members are reinstated by hand."""
        self._check_role("enrollment_officer", "program_manager")
        reason = self._given_reason(reason)
        self._lock()
        for case in self:
            if case.state == "open":
                raise UserError(_("%s is open already.", case.display_name))
            old = case.state
            case._write_guarded({"state": "open", "set_aside_id": False})
            self.env["spp.audit.entry"]._log(
                "Suspected duplicate asked about again",
                case,
                old={"state": old},
                new={"state": "open"},
                note=reason,
            )
        return True

    def action_search_duplicates(self):
        """Look for duplicates among all registrants whom the user may see. The same is done every night.

        :return: id of the run (spp.run)
        """
        self._check_role("enrollment_officer", "program_manager")
        bulk = self.env["spp.bulk.mixin"]
        if bulk._rows("res.partner", [("is_registrant", "=", True)]) < bulk._rows_at_once():
            run = self.env["spp.run"]._start("duplicate_search", _("Look for duplicates"), self.browse())
            self._do_search_duplicates(run)
            return run.id
        return self._queue_search()._shown(_("A worker does this: you may go on with other things."))

    def action_decide_same(self):
        return self._open_decision("same")

    def action_decide_different(self):
        return self._open_decision("different")

    def action_ask_again(self):
        return self._open_decision("open")

    def _open_decision(self, verdict):
        self._check_role("enrollment_officer", "program_manager")
        return {
            "type": "ir.actions.act_window",
            "name": _("Decide: are they the same?"),
            "res_model": "spp.duplicate.decision",
            "view_mode": "form",
            "target": "new",
            "context": {"default_case_ids": self.ids, "default_verdict": verdict},
        }

    # ------------------------------------------------------------------ deciding

    def _begin_decision(self, reason):
        self._check_role("enrollment_officer", "program_manager")
        reason = self._given_reason(reason)
        self._lock()
        labels = dict(self._fields["state"]._description_selection(self.env))
        for case in self:
            if case.state != "open":
                raise UserError(
                    _(
                        "%(case)s was decided by %(user)s: %(state)s.",
                        case=case.display_name,
                        user=case.decided_by.sudo().name,
                        state=labels[case.state].lower(),
                    )
                )
        return reason

    def _conclude(self, state, reason, **vals):
        self._write_guarded(
            {
                **vals,
                "state": state,
                "reason": reason,
                "decided_by": self.env.uid,
                "decided_at": fields.Datetime.now(),
            }
        )
        for case in self:
            self.env["spp.audit.entry"]._log(
                f"Suspected duplicate decided: {state}",
                case,
                old={"state": "open"},
                new={"state": state, "set_aside": case.set_aside_id.id or None},
                note=reason,
            )

    def _one_of_both(self, partner_id):
        for partner in self.partner_id + self.other_id:
            if partner.id == partner_id:
                return partner
        raise UserError(_("Choose which of the two is set aside."))

    def _plan(self, aside):
        """What "same" does: the memberships marked, the places in households ended, and sentences about all of it."""
        kept = self.partner_id + self.other_id - aside
        # sudo: a duplicate is set aside in every program where it would be paid twice, and the one who decides is told.
        memberships = self.env["spp.program.membership"].sudo()
        of_kept = {m.program_id: m for m in memberships.search([("partner_id", "=", kept.id)])}
        states = dict(memberships._fields["state"]._description_selection(self.env))
        members, sentences = memberships, []
        for member in memberships.search([("partner_id", "=", aside.id)], order="program_id"):
            other = of_kept.get(member.program_id)
            names = {
                "program": member.program_id.display_name,
                "aside": aside.name,
                "kept": kept.name,
                "state": states[member.state].lower(),
                "kept_state": other and states[other.state].lower(),
            }
            if member.state not in DECISIONS["duplicate"][0]:
                sentences.append(_("%(program)s: %(aside)s stays %(state)s.", **names))
            elif not other or other.state == "duplicate":
                sentences.append(
                    _(
                        "%(program)s: only %(aside)s takes part (%(state)s) and stays; %(kept)s does not.",
                        **names,
                    )
                )
            else:
                members |= member
                sentences.append(
                    _(
                        "%(program)s: %(aside)s (%(state)s) is marked as a duplicate; %(kept)s stays %(kept_state)s.",
                        **names,
                    )
                )
        places = self.env["spp.group.membership"].sudo()
        for place in places.search(
            [("individual_id", "=", aside.id), *live_domain(fields.Date.context_today(self))]
        ):
            names = {"aside": aside.name, "household": place.group_id.name}
            if place.is_head:
                sentences.append(
                    _(
                        "%(household)s: %(aside)s is its head and stays. Choose another head there, then end the "
                        "membership.",
                        **names,
                    )
                )
            else:
                places |= place
                sentences.append(_("%(household)s: %(aside)s is a member until today.", **names))
        sentences.append(_("%s comes into no other program as a candidate. Nothing is deleted.", aside.name))
        return {"members": members, "places": places, "sentences": sentences}

    # ------------------------------------------------------------------ side by side

    def _compared(self):
        first, second = (self._shown(partner) for partner in (self.partner_id, self.other_id))
        return [
            {
                "field": field,
                "first": first[field],
                "second": second[field],
                "differs": first[field] != second[field],
            }
            for field in first
            if first[field] or second[field]
        ]

    def _shown(self, partner):
        """{label: texts} of a registrant, each only where the user may read it."""

        def may(roles):
            return any(self.env.user.has_group(role) for role in roles.split(","))

        shown = {}
        for name in (
            "name", "family_name", "given_name", "additional_name", "birthdate", "gender", "birth_place", "area_id",
            "group_kind_id", "registration_date", "registrant_status",
        ):  # fmt: skip
            field = partner._fields[name]
            value = field.convert_to_export(partner[name], partner)
            shown[field._description_string(self.env)] = [str(value)] if value else []
        live = live_domain(fields.Date.context_today(self))
        places = self.env["spp.group.membership"].search
        if partner.is_group:
            people = places([("group_id", "=", partner.id), *live]).individual_id
            shown[_("People in it")] = [f"{p.name} {p.birthdate or ''}".strip() for p in people]
        else:
            shown[_("Households")] = [
                place.group_id.name + (_(" (head)") if place.is_head else "")
                for place in places([("individual_id", "=", partner.id), *live])
            ]
        if may(DOCUMENT_READERS):
            states = dict(self.env["spp.identity.document"]._fields["state"]._description_selection(self.env))
            shown[_("Documents")] = [
                f"{document.type_id.name} {document.value} ({states[document.state].lower()})"
                for document in self.env["spp.identity.document"].search([("partner_id", "=", partner.id)])
            ]
        shown[_("Phones")] = (
            self.env["spp.phone.number"].search([("partner_id", "=", partner.id)]).mapped("number")
        )
        if may(ACCOUNT_READERS):
            shown[_("Accounts")] = (
                self.env["spp.payment.account"]
                .search([("partner_id", "=", partner.id)])
                .mapped("display_name")
            )
        states = dict(self.env["spp.program.membership"]._fields["state"]._description_selection(self.env))
        shown[_("Programs")] = [
            f"{member.program_id.name}: {states[member.state].lower()}"
            for member in self.env["spp.program.membership"].search(
                [("partner_id", "=", partner.id)], order="program_id"
            )
        ]
        return shown

    # ------------------------------------------------------------------ searching

    @api.model
    def _cron_search_duplicates(self):
        """The night's search, in a job: among everybody, so that areas and companies meet."""
        self._queue_search()

    @api.model
    def _queue_search(self):
        runs = self.env["spp.run"]
        # sudo: that somebody searches is no secret
        at_work = runs.sudo().search(
            [
                ("kind", "=", "duplicate_search"),
                ("user_id", "=", self.env.uid),
                ("state", "in", ["queued", "running"]),
                ("job_uuid", "!=", False),
            ],
            limit=1,
        )
        return at_work.sudo(False) or runs._queue_job(
            "duplicate_search", _("Look for duplicates"), self.browse(), "search_duplicates", []
        )

    @api.model
    def _do_search_duplicates(self, run):
        """One statement for each kind; what a person decided stays, and what is open may get one more ground."""
        limit = self._block_limit()
        # Record rules apply: an officer of one area compares that area's people.
        people = self.env["res.partner"]._search([("is_registrant", "=", True)]).select()
        counts, large = {}, []
        self.env.flush_all()
        for kind in KINDS:
            blocks, condition = getattr(self, f"_blocks_{kind}")(fields.Date.context_today(self))
            new, blocks_left_out = self._find(kind, people, blocks, condition, limit)
            counts[self._fields[kind]._description_string(self.env)] = new
            large += [(kind, *block) for block in blocks_left_out]
        run._add_failures(self._block_failures(large[:LISTED], limit))
        message = ""
        if large:
            message = _(
                "%(count)s groups of more than %(limit)s registrants share a document, a phone or a name. They are no "
                "pairs to decide about: see the failed rows.",
                count=len(large),
                limit=limit,
            )
        run._finish({_("New: %s", label): count for label, count in counts.items()}, message)
        self.env.invalidate_all()

    def _block_limit(self):
        # sudo: a limit, not a secret
        limit = self.env["ir.config_parameter"].sudo().get_param("spp_programs.duplicate_block", str(BLOCK))
        if not limit.isdecimal() or int(limit) < 2:
            raise UserError(
                _("The system parameter spp_programs.duplicate_block must be a whole number above 1.")
            )
        return int(limit)

    def _find(self, kind, people, blocks, condition, limit):
        """Make the cases of one kind, in one statement.

        :param people: SQL selecting the ids of the registrants looked at
        :param blocks: SQL selecting (key, partner_id, extra) from the registrants `p`; who has the same key is a block
        :param condition: SQL that holds for a pair `a`, `b` of a block that is a finding
        :return: (number of pairs that were not known, [(number of registrants, one of them)] of blocks above the limit)
        """
        self.env.cr.execute(
            SQL(
                """
                WITH visible AS MATERIALIZED (%(people)s), in_block AS MATERIALIZED (
                    SELECT DISTINCT key, partner_id, extra FROM (%(blocks)s) r WHERE partner_id IN (SELECT id FROM visible)
                ), sized AS MATERIALIZED (
                    SELECT key, count(*) AS people, min(partner_id) AS one
                      FROM in_block GROUP BY key HAVING count(*) > 1
                ), pair AS (
                    SELECT DISTINCT a.partner_id, b.partner_id AS other_id
                      FROM sized s
                      JOIN in_block a ON a.key = s.key
                      JOIN in_block b ON b.key = s.key AND a.partner_id < b.partner_id
                     WHERE s.people <= %(limit)s AND %(condition)s
                ), kept AS (
                    INSERT INTO spp_duplicate_case
                        (partner_id, other_id, state, %(columns)s, create_uid, create_date, write_uid, write_date)
                    SELECT partner_id, other_id, 'open', %(values)s, %(uid)s, %(now)s, %(uid)s, %(now)s FROM pair
                        ON CONFLICT (partner_id, other_id) DO UPDATE
                       SET %(kind)s = TRUE, write_uid = EXCLUDED.write_uid, write_date = EXCLUDED.write_date
                     WHERE spp_duplicate_case.state = 'open' AND NOT spp_duplicate_case.%(kind)s
                 RETURNING xmax = 0 AS new
                )
                SELECT (SELECT count(*) FILTER (WHERE new) FROM kept),
                       ARRAY(SELECT ARRAY[people, one] FROM sized WHERE people > %(limit)s ORDER BY people DESC, one)
                """,
                people=people,
                blocks=blocks,
                condition=condition,
                limit=limit,
                kind=SQL.identifier(kind),
                columns=SQL(", ").join(map(SQL.identifier, KINDS)),
                values=SQL(", ").join(SQL("%s", each == kind) for each in KINDS),
                uid=self.env.uid,
                now=self.env.cr.now(),
            )
        )
        new, large = self.env.cr.fetchone()
        statistics.refresh(self.env.cr, self._table, new)
        return new, large

    def _blocks_same_document(self, _today):
        """Documents that somebody claims while another one claims or holds them."""
        return SQL(
            """
            SELECT d.type_id || ' ' || d.value AS key, d.partner_id, NULL AS extra
              FROM spp_identity_document d
             WHERE d.state <> 'withdrawn'
               AND (d.type_id, d.value) IN
                   (SELECT type_id, value FROM spp_identity_document WHERE state = 'disputed')
            """
        ), SQL("TRUE")

    def _blocks_same_phone(self, today):
        """Phones in use. Within one household they are shared for good reason."""
        return SQL(
            """
            SELECT COALESCE(n.sanitized, regexp_replace(n.number, '[^0-9]', '', 'g')) AS key, n.partner_id, NULL AS extra
              FROM spp_phone_number n
             WHERE (n.ended IS NULL OR n.ended > %(today)s)
               AND (n.sanitized IS NOT NULL OR length(regexp_replace(n.number, '[^0-9]', '', 'g')) > 5)
            """,
            today=today,
        ), SQL(
            """
            NOT EXISTS (SELECT FROM spp_group_membership x
                          JOIN spp_group_membership y ON y.group_id = x.group_id
                         WHERE x.individual_id = a.partner_id AND y.individual_id = b.partner_id
                           AND %(x)s AND %(y)s)
            AND NOT EXISTS (SELECT FROM spp_group_membership x
                             WHERE (x.group_id, x.individual_id) IN
                                   ((a.partner_id, b.partner_id), (b.partner_id, a.partner_id)) AND %(x)s)
            """,
            x=live_sql("x", today),
            y=live_sql("y", today),
        )

    def _blocks_two_households(self, today):
        """Groups of one kind in which one person lives now: the groups are the pair."""
        return SQL(
            """
            SELECT m.individual_id || ' ' || COALESCE(g.group_kind_id, 0) AS key, m.group_id AS partner_id, NULL AS extra
              FROM spp_group_membership m
              JOIN res_partner g ON g.id = m.group_id
             WHERE %s
            """,
            live_sql("m", today),
        ), SQL("TRUE")

    def _blocks_similar_name(self, _today):
        """People with one birthdate and two names that sound alike (or their only one).

        Names are compared by their consonants, without accents and in any order: AHMED and Ahmad, Cathérine and
        Katherine. The names of the one must all be among those of the other, so that twins with a common family
        name are no finding.
        """
        return SQL(
            """
            SELECT concat_ws(' ', p.birthdate, one.name, two.name) AS key, p.id AS partner_id, p.names AS extra
              FROM (SELECT id, birthdate,
                           ARRAY(SELECT DISTINCT unnest(string_to_array(trim(%s), ' ')) ORDER BY 1) AS names
                      FROM res_partner
                     WHERE is_registrant AND active AND NOT COALESCE(is_group, FALSE) AND birthdate IS NOT NULL) p
        CROSS JOIN LATERAL unnest(p.names) AS one (name)
         LEFT JOIN LATERAL unnest(p.names) AS two (name) ON two.name > one.name
             WHERE one.name <> '' AND cardinality(p.names) <= 6 AND (two.name IS NOT NULL OR cardinality(p.names) = 1)
            """,
            SQL(reduce(lambda inner, step: step.replace("…", inner), SOUND, "name")),
        ), SQL("(a.extra <@ b.extra OR b.extra <@ a.extra)")

    def _block_failures(self, large, limit):
        what = {
            "same_document": _("the same document"),
            "same_phone": _("the same phone number"),
            "two_households": _("the same member, as households"),
            "similar_name": _("the same birthdate and similar names"),
        }
        partners = self.env["res.partner"].browse([one for _kind, _people, one in large])
        return [
            {
                "res_model": "res.partner",
                "res_id": partner.id,
                "name": partner.display_name,
                "reason": _(
                    "%(count)s registrants, this one among them, have %(what)s. That is more than %(limit)s, so it is "
                    "one finding: look into what they share.",
                    count=people,
                    what=what[kind],
                    limit=limit,
                ),
            }
            for (kind, people, _one), partner in zip(large, partners, strict=True)
        ]
