/** @odoo-module **/

// Why a rule said what it said: the answer of spp.rule.version's `why` as a list that can be unfolded.

import { Component, useState } from "@odoo/owl";
import { deserializeDate, formatDate } from "@web/core/l10n/dates";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

// Marks and words besides the colours: readable without them, and by screen readers.
const MARKS = { true: "✓", false: "✗", missing: "?", value: "•" };

function wordsOf(state) {
    return {
        true: _t("Fulfilled"),
        false: _t("Not fulfilled"),
        missing: _t("Not known"),
        value: _t("Value"),
    }[state];
}

export class WhyPart extends Component {
    static template = "spp_cel.WhyPart";
    static props = { part: Object };

    setup() {
        // What made the outcome is open to begin with; what a computed variable is made of is not.
        this.state = useState({ open: this.props.part.decides && !this.props.part.variable });
        this.marks = MARKS;
        this.wordsOf = wordsOf;
    }

    get foldable() {
        const { children, items } = this.props.part;
        return Boolean(children.length || items.length);
    }

    /** How many items are not listed, of all states. */
    get leftOut() {
        return Object.values(this.props.part.more).reduce((sum, number) => sum + number, 0);
    }

    toggle() {
        this.state.open = !this.state.open;
    }
}
WhyPart.components = { WhyPart };

export class WhyField extends Component {
    static template = "spp_cel.WhyField";
    static components = { WhyPart };
    static props = { ...standardFieldProps };

    get answer() {
        return this.props.record.data[this.props.name];
    }

    get asOf() {
        return formatDate(deserializeDate(this.answer.as_of));
    }
}

registry.category("fields").add("spp_why", { component: WhyField, supportedTypes: ["json"] });
