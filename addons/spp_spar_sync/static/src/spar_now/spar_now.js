/** @odoo-module **/

// What SPAR holds, asked while the form is open and not before: <widget name="spp_spar_now"/>.
// The form's model has a method `spar_now`, of res.partner's kind. The form does not wait for it.

import { Component, onWillUnmount, useEffect, useState } from "@odoo/owl";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";

const STYLES = { same: "success", other: "danger", none: "warning", no_id: "warning", unreachable: "secondary" };

export class SparNow extends Component {
    static template = "spp_spar_sync.SparNow";
    static props = { ...standardWidgetProps };

    setup() {
        this.orm = useService("orm");
        this.state = useState({ answer: null, asking: false });
        useEffect(
            (id) => {
                this.ask(id);
            },
            () => [this.props.record.resId]
        );
        onWillUnmount(() => {
            this.gone = true;
        });
    }

    get style() {
        return STYLES[this.state.answer.state];
    }

    async ask(id) {
        this.asked = id;
        this.state.answer = null;
        this.state.asking = Boolean(id);
        if (!id) {
            return;
        }
        let answer = null;
        try {
            answer = await this.orm.silent.call(this.props.record.resModel, "spar_now", [[id]]);
        } catch {
            // Whoever may not ask sees nothing; a form is no worse for it.
        }
        if (!this.gone && this.asked === id) {
            this.state.answer = answer;
            this.state.asking = false;
        }
    }
}

registry.category("view_widgets").add("spp_spar_now", { component: SparNow });
