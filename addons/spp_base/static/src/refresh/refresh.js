/** @odoo-module **/

// Reads a form's record again every few seconds while something is at work on it:
// <widget name="spp_refresh" options="{'field': 'at_work'}"/>, as long as that field is set.
// What somebody is typing is left alone.

import { Component, onWillUnmount, useEffect, xml } from "@odoo/owl";
import { registry } from "@web/core/registry";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";

const PAUSE = 2000;

export class Refresh extends Component {
    static template = xml`<span class="d-none"/>`;
    static props = { ...standardWidgetProps, field: String };

    setup() {
        this.timer = null;
        useEffect(
            (atWork) => {
                if (atWork) {
                    this.timer = setTimeout(() => this.refresh(), PAUSE);
                }
                return () => clearTimeout(this.timer);
            },
            () => [Boolean(this.props.record.data[this.props.field])]
        );
        onWillUnmount(() => {
            this.gone = true;
        });
    }

    async refresh() {
        const record = this.props.record;
        try {
            if (!document.hidden && record.resId && !(await record.isDirty()) && !this.gone) {
                await record.load();
            }
        } catch (error) {
            // Whoever left the page meanwhile is not told that it could not be read.
            if (!this.gone) {
                throw error;
            }
        }
        if (!this.gone && this.props.record.data[this.props.field]) {
            this.timer = setTimeout(() => this.refresh(), PAUSE);
        }
    }
}

registry.category("view_widgets").add("spp_refresh", {
    component: Refresh,
    fieldDependencies: [],
    extractProps: ({ options }) => ({ field: options.field }),
});
