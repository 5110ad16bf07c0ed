/** @odoo-module **/

import {Component, onWillStart, onWillUnmount, useState} from "@odoo/owl";
import {registry} from "@web/core/registry";
import {useService} from "@web/core/utils/hooks";
import {session} from "@web/session";

const EVERY = 5 * 60 * 1000;

/** How many requests wait for the user's decision; a click opens them. */
export class ApprovalInbox extends Component {
    static template = "spp_approval.Inbox";
    static props = {};

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.state = useState({count: 0});
        onWillStart(() => this.load());
        const timer = setInterval(() => this.load(), EVERY);
        const afterAction = () => this.load();
        this.env.bus.addEventListener("ACTION_MANAGER:UI-UPDATED", afterAction);
        onWillUnmount(() => {
            clearInterval(timer);
            this.env.bus.removeEventListener("ACTION_MANAGER:UI-UPDATED", afterAction);
        });
    }

    async load() {
        // Silent: a session that has ended, or a server that is down, is told by what the user does.
        this.state.count = await this.orm.silent.call("res.users", "count_approvals", []).catch(() => 0);
    }

    open() {
        this.action.doAction("spp_approval.action_spp_approval_inbox", {clearBreadcrumbs: true});
    }
}

if (session.uid) {
    registry.category("systray").add("spp_approval.Inbox", {Component: ApprovalInbox}, {sequence: 30});
}
